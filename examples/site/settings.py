"""Settings: where the demo keeps its things and whom it talks to. The launcher fills the environment."""

import os
from pathlib import Path

FOLDER = Path(os.environ.get("GREENROOM_DEMO_DIR") or Path(__file__).parent / "var").absolute()
FOLDER.mkdir(parents=True, exist_ok=True)

MAIL = FOLDER / "mail"
ADDRESS = os.environ.get("GREENROOM_DEMO_ADDRESS", "http://127.0.0.1:8888")
SMTP_PORT = int(os.environ.get("GREENROOM_DEMO_SMTP_PORT", "2525"))
