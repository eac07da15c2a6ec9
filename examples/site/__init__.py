"""The founding text's site, made real: a contact form, thumbnails, a feed, and a report.

`make demo` runs it. Kill it, even with `kill -9`, and run it again: nothing that was accepted is lost.
"""
