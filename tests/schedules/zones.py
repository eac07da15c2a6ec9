"""Twelve zones and their two days of change in 2026; where none is kept, two days on which others change."""

DAYS = {
    "Europe/Berlin": ("2026-03-29", "2026-10-25"),
    "Europe/Riga": ("2026-03-29", "2026-10-25"),
    "Europe/London": ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "America/St_Johns": ("2026-03-08", "2026-11-01"),  # half an hour off the full ones
    "America/Santiago": ("2026-09-06", "2026-04-04"),  # at midnight
    "Africa/Cairo": ("2026-04-24", "2026-10-29"),  # at midnight, on a Friday and a Thursday
    "Australia/Lord_Howe": ("2026-10-04", "2026-04-05"),  # by half an hour
    "Pacific/Auckland": ("2026-09-27", "2026-04-05"),
    "Antarctica/Troll": ("2026-03-29", "2026-10-25"),  # by two hours
    "Asia/Kolkata": ("2026-03-29", "2026-10-25"),  # never
    "America/Sao_Paulo": ("2026-03-29", "2026-10-25"),  # no more
}
EXPRESSIONS = (
    "* * * * *",
    "*/15 * * * *",
    "0 * * * *",
    "7 */2 * * *",
    "*/7 1-5 * * *",
    "30 0 * * *",
    "15 1 * * *",
    "0 2 * * *",
    "30 2 * * *",
    "45 1,2,3 * * *",
    "0,20,40 0-4 * * *",
    "0 3 * * 0",
)
