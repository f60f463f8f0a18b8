"""What a channel measures, by its label and type: each kind has a sensitivity of its own."""

from __future__ import annotations

import re

from rtbci.recordings.channel_names import derivation, may_be_eeg
from rtbci.text import field_text

EEG, EOG, ECG, EMG, OTHER = KINDS = ("EEG", "EOG", "ECG", "EMG", "other")
_LABELS = (
    (EOG, re.compile(r"\W*(h|v|l|r)?eog|[lr]oc\b", re.IGNORECASE)),
    (ECG, re.compile(r"\W*(ecg|ekg)", re.IGNORECASE)),
    (EMG, re.compile(r"\W*(emg|chin|ment|[lr]?leg\b|[lr]at\b|plm|delt|submental)", re.IGNORECASE)),
)


def kind_of(label: str, content_type: str = "") -> str:
    """One of KINDS. An electrode's name counts for more than a type, and a label's word for more than "EEG".

    Parameters
    ----------
    label
        As the stream has it: "EEG Fp1-Ref", "ECG1", "EEG EKG-Ref".
    content_type
        As in LSL: "EEG", "ECG", "" where the stream says none.
    """
    text = field_text(label[:200])
    if derivation(text).is_electrode:
        return EEG
    bare = re.sub(r"^(eeg|exg|pol)[\s:_-]+", "", text, flags=re.IGNORECASE)
    for kind, pattern in _LABELS:
        if pattern.match(bare):
            return kind
    typed = content_type.strip().upper().replace("EKG", ECG)
    if typed in (EOG, ECG, EMG):
        return typed
    return EEG if may_be_eeg(text, content_type) else OTHER
