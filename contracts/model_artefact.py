"""Names a model's metadata, tags and aliases: training writes them, and its readers go by them."""

from __future__ import annotations

from enum import StrEnum

# The file of a registered version that answers.
MODEL_FILE = "model.onnx"
# ONNX Runtime's option: where a model's data in other files lies. Nothing can lie there, so no file is read;
# by itself it takes the folder that the process runs in.
NO_OTHER_FILES = ("session.model_external_initializers_file_folder_path", "/dev/null/none")

# Aliases of the registered model: who answers, who did before, who was refused last or waits for a person.
CHAMPION, PREVIOUS, CHALLENGER = "champion", "previous", "challenger"

# Files of the run that made a version, and that the UI reads.
SCORE_SHEET, IMPORTANCE = "scores.json", "importance.json"
CARD, CARD_PAGE = "model_card.md", "model_card.html"


class Metadata(StrEnum):
    """Keys in the metadata of the ONNX file."""

    CONTRACT_VERSION = "canopy.contract_version"
    SNAPSHOT_ID = "canopy.snapshot_id"
    GOLDEN = "canopy.golden"
    TRAINING_PROFILE = "canopy.seen"


class Tag(StrEnum):
    """Tags of a registered version; those of its signature are in `contracts.version_signature`.

    Attributes:
        REASON: Why it was trained.
        VERDICT: What became of it; written last.
        VERDICT_REASON: The same in a sentence.
        DECISION: What is to become of it; written before that is carried out.
        GATE: The gate's criteria, as JSON.
        TRAIN_DIGEST: Of the rows that it learned from.
        TEST_DIGEST: Of the held-out rows.
        ANSWERS_DIGEST: Of what the library that grew it answered to the held-out rows.
        LANDINGS: How many it was made from.
    """

    SNAPSHOT_ID = "snapshot_id"
    PUBLICATION_ID = "publication_id"
    CONTRACT_VERSION = "contract_version"
    CANDIDATE = "candidate"
    PARAMETERS = "parameters"
    TRAIN_ROWS = "train_rows"
    TEST_ROWS = "test_rows"
    MACRO_F1 = "macro_f1"
    MACRO_F1_LOW = "macro_f1_low"
    MACRO_F1_HIGH = "macro_f1_high"
    MACRO_F1_DIFFERENCE = "macro_f1_difference"
    NAIVE_MACRO_F1 = "naive_macro_f1"
    NAIVE_ACCURACY = "naive_accuracy"
    ACCURACY = "accuracy"
    CODE_REVISION = "code_revision"
    LOCK_HASH = "lock_hash"
    TRAIN_DIGEST = "train_digest"
    TEST_DIGEST = "test_digest"
    ANSWERS_DIGEST = "answers_digest"
    LANDINGS = "landings"
    NOTES = "notes"
    REASON = "reason"
    VERDICT = "verdict"
    VERDICT_REASON = "verdict_reason"
    DECISION = "decision"
    GATE = "gate"


class Decision(StrEnum):
    """What became of a version, or is to: the values of the tags `verdict` and `decision`."""

    PROMOTED = "promoted"
    REFUSED = "refused"
    AWAITING = "awaiting"
