# The workflow as a table of contents: one rule file a stage, one target a stage.
from snakemake.utils import min_version

min_version("9.0")


container: "containers/cpu.sif"


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/split.smk"
include: "rules/train.smk"
include: "rules/evaluate.smk"
include: "rules/measure.smk"
include: "rules/compare.smk"
include: "rules/claims.smk"
include: "rules/report.smk"
include: "rules/check.smk"
include: "rules/containers.smk"


rule all:
    default_target: True
    input:
        rules.check.output,
        rules.data.input,
