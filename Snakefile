# The workflow as a table of contents: one rule file a stage, one target a stage.
from snakemake.utils import min_version

min_version("9.0")


include: "rules/common.smk"


container: layout.CPU_IMAGE


include: "rules/data.smk"
include: "rules/split.smk"
include: "rules/search.smk"
include: "rules/memory.smk"
include: "rules/train.smk"
include: "rules/evaluate.smk"
include: "rules/examine.smk"
include: "rules/measure.smk"
include: "rules/efficiency.smk"
include: "rules/compare.smk"
include: "rules/claims.smk"
include: "rules/report.smk"
include: "rules/check.smk"
include: "rules/containers.smk"
include: "rules/objects.smk"


rule all:
    default_target: True
    input:
        rules.ended.output,
        # Named here, so that one that was taken away is missed.
        rules.train.input,
        rules.data.input,
