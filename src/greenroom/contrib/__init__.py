"""What fits greenroom into what others have made: one folder or file each, imported by nobody here."""
