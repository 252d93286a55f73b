"""The label set: ten entity types under the BIO tag scheme."""

TYPES = ["PER", "ORG", "LOC", "PRODUCT", "EVENT", "WORK", "DATE", "MONEY", "PERCENT", "QUANTITY"]
LABELS = ["O"] + [f"{prefix}-{kind}" for kind in TYPES for prefix in "BI"]
LABEL_IDS = {label: number for number, label in enumerate(LABELS)}
LANGUAGES = ["it", "en", "de", "fr", "es", "pt", "nl", "pl", "ru"]

# A corpus with fewer types marks these three; its MISC mixes several of ours and is masked.
CORE_TYPES = ["PER", "ORG", "LOC"]
MASKED_TYPE = "MISC"


def begin(kind: str) -> int:
    """The id of the label that opens an entity of `kind`."""
    return LABEL_IDS[f"B-{kind}"]


def inside(kind: str) -> int:
    """The id of the label that continues an entity of `kind`."""
    return LABEL_IDS[f"I-{kind}"]
