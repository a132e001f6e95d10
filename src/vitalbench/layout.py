"""Where every file of the results lies. The rules fill in the wildcards, the stages the names; both read these patterns."""

RESULTS = "results"

# Where the images lie that rules run in, and what says of each which it is.
BASE_IMAGE, BASE_IMAGE_RECEIPT = "containers/base.sif", "containers/base.json"  # what the others stand on
CPU_IMAGE, CPU_IMAGE_RECEIPT = "containers/cpu.sif", "containers/cpu.json"
CUDA_IMAGE, CUDA_IMAGE_RECEIPT = "containers/cuda.sif", "containers/cuda.json"

# Below results/: what suites share.
DATA = "data/{dataset}/{source}"
DOWNLOAD_SLICE = "download.json"  # below DATA: from where and in how many streams, which changes no record

# Below that.
DESCRIBE_SLICE = "describe.json"
CROISSANT = "croissant.json"
DATA_RECEIPT = "receipt.json"
ACCESS_LOG = "access.log"
ACCESS_HEAD = "access.head.json"
NEIGHBOURS = "neighbours.parquet"  # beside a store, and the slice its search depends on
NEIGHBOURS_SLICE = "neighbours.json"
NEIGHBOURS_RECEIPT = "neighbours.receipt.json"

# Below results/<suite>/.
SUITE_SLICE = "config/suite.json"
SUITE_FORMAT = 1  # of that file; the next one when what is read from it changes its shape
TASK_SLICE = "config/tasks/{task}.json"
DESIGN_SLICE = "config/designs/{design}.json"
MEASURE_SLICE = "config/measure/{design}.json"
TRIAL_SLICE = "config/trials/{design}.json"  # what a trial of a search depends on: not how many there are
OBJECTIVE_SLICE = "config/objectives/{task}.json"  # by what a search chooses
TARGET_SLICE = "config/targets/{target}.json"
CHECKPOINT_SLICE = "config/checkpoints.json"  # how runs are saved and where copies go, which changes no result
WATCH_SLICE = "config/watching.json"  # how runs are watched and what they may cost, which changes no result
STAGE_SLICE = "config/stages/{stage}.json"
PICTURES_SLICE = "config/pictures/{dataset}.json"  # what decides whether its records may be drawn on a page
RESOLVED = "config/resolved.json"  # the knobs the suite was resolved with, for people: no job depends on it
SPLIT = "splits/{dataset}/{task}/fold{fold}.csv"
CLASSES = "splits/{dataset}/{task}/classes-fold{fold}.csv"  # how many training patients carry each, and which are asked
UNMADE = "splits/{dataset}/{task}/unmade-fold{fold}.txt"  # why the split could not be made; empty where it was
RECEIPT = "splits/{dataset}/{task}/audit-fold{fold}.json"
RUN = "runs/{dataset}/{task}/{design}/{target}/seed{seed}-fold{fold}"
CHECKPOINTS = "checkpoints"  # below RUN, a folder a run_id; and below the backup's RUN
PROGRESS = "progress.json"  # below RUN: how far the run has come, and what it has taken
EVENTS = "tensorboard"  # below RUN: TensorBoard's event files
MEASUREMENT = "measure/{dataset}/{task}/{design}/{target}.json"
SEARCHED_MEASUREMENT = (
    "measure/{dataset}/{task}/{design}/{target}/fold{fold}.json"  # what a search chose differs by fold
)
SEARCH = "search/{dataset}/{task}/{design}/{target}/fold{fold}"
TRIAL = f"{SEARCH}/trial-{{trial}}/trial.json"
CHOSEN = f"{SEARCH}/chosen.json"
STUDY = f"{SEARCH}/study.journal"  # the same trials as Optuna's tools read them
EXAMINED = "examined/{dataset}/{task}/{design}/{target}/fold{fold}"
TABLE = "tables/{table}.csv"
SESSIONS = "sessions.json"  # what is projected of cells whose targets' sessions end
REPORT = "report.html"
CHECKED = "checked.json"  # no cell failed, no split leaks
GATED = "gated.json"  # and nothing is worse than the baseline
# Beside the results, where the project keeps it: a dated reference.
MEASURED = "baselines/measured/{day}-{target}-{device}.csv"


def trial_name(number: int) -> str:
    """A trial's number as its folder's name has it.

    >>> TRIAL.format(dataset="d", task="t", design="s", target="cpu", fold=0, trial=trial_name(7))
    'search/d/t/s/cpu/fold0/trial-0007/trial.json'
    """
    return f"{number:04d}"
