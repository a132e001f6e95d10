# The targets of an object store that no knob names: they say which knob, where Snakemake would say that there is no such rule.
from vitalbench.config.workflow import refuse_without_address

if not PLAN.knobs.publish_to:

    rule publish:
        input:
            lambda wildcards: refuse_without_address("publish", "publish_to"),

    rule cloud:
        input:
            lambda wildcards: refuse_without_address("cloud", "publish_to"),


if not PLAN.knobs.pull_from:

    rule pull:
        input:
            lambda wildcards: refuse_without_address("pull", "pull_from"),
