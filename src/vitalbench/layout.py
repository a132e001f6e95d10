"""Where every file of the results lies. The rules fill in the wildcards, the stages the names; both read these patterns."""

RESULTS = "results"

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

# Below results/<suite>/.
SUITE_SLICE = "config/suite.json"
TASK_SLICE = "config/tasks/{task}.json"
DESIGN_SLICE = "config/designs/{design}.json"
MEASURE_SLICE = "config/measure/{design}.json"
TARGET_SLICE = "config/targets/{target}.json"
STAGE_SLICE = "config/stages/{stage}.json"
RESOLVED = "config/resolved.json"  # the knobs the suite was resolved with, for people: no job depends on it
SPLIT = "splits/{dataset}/{task}/fold{fold}.csv"
RECEIPT = "splits/{dataset}/{task}/audit-fold{fold}.json"
RUN = "runs/{dataset}/{task}/{design}/{target}/seed{seed}-fold{fold}"
MEASUREMENT = "measure/{dataset}/{task}/{design}/{target}.json"
TABLE = "tables/{table}.csv"
REPORT = "report.html"
CHECKED = "checked.json"
