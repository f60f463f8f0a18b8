"""A sink: tells a web hook of each event, when it is confirmed and when it is over.

RTBCI_WEB_HOOK=http://127.0.0.1:8000/ rtbci run demo --stream type=EEG --sink examples/web_hook.py:WebHook
"""

import json
import os
from urllib.request import Request, urlopen

from rtbci.types import Detection, SessionInfo


class WebHook:
    """Posts one JSON object an event."""

    def begin(self, session: SessionInfo) -> None:
        self.stream = session.stream.name

    def on(self, message: object) -> None:
        if isinstance(message, Detection):
            event, state = message.event, "over" if message.closed else "confirmed"
            about = {"stream": self.stream, "label": event.label, "onset_s": event.onset, "state": state}
            headers = {"Content-Type": "application/json"}
            urlopen(Request(os.environ["RTBCI_WEB_HOOK"], json.dumps(about).encode(), headers), timeout=2).close()

    def tend(self) -> None: ...

    def close(self) -> None: ...
