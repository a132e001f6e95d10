# The plan of the suite, and the paths the stages share. Wrong configuration ends here, before any DAG, with exit code 2.
# configs/config.yaml is read by `load`, not by Snakemake: what is wrong with it is told like everything else.
import os
import sys
from pathlib import Path
from shlex import quote

from snakemake.settings.types import DeploymentMethod
from vitalbench import layout
from vitalbench.config.index_tables import index_tables
from vitalbench.config.workflow import (
    apptainer_told,
    load,
    refuse_arrays,
    refuse_images,
    refuse_without_apptainer,
)
from vitalbench.unfinished import attempt

# From where the jobs run, so that a project can be moved.
CONFIGS = Path(os.path.relpath(workflow.basedir)) / "configs"
PLAN = load(config, CONFIGS, workflow.is_main_process)
if workflow.is_main_process:
    for line in [*PLAN.absent(), *PLAN.drawn_instead()]:
        print(line, file=sys.stderr)
# What a rule's image has to see, said again in a job's own process, which may find a GPU where this one found none.
workflow.deployment_settings.apptainer_args = apptainer_told(
    PLAN, workflow.deployment_settings.apptainer_args
)
IN_IMAGES = DeploymentMethod.APPTAINER in workflow.deployment_settings.deployment_method
if IN_IMAGES:
    refuse_without_apptainer()
SUITE = f"{layout.RESULTS}/{PLAN.name}"
DATA = f"{layout.RESULTS}/{layout.DATA}"

# Of every device: which of them this machine is, is known when it has measured.
BASELINES = sorted(
    str(path)
    for path in Path(os.path.relpath(workflow.basedir)).glob(
        f"baselines/{PLAN.name}/*.json"
    )
)


# What another scheduler gets as one submission (`--groups`, docs/SCALING.md) runs its cells one after another: it asks for the memory and
# the cores of one and for the time of all. On this machine cells are limited by its cores alone.
resource_scopes:
    one_cell="local",


if not workflow.resource_settings.cores:
    workflow.register_resource("one_cell", 1)


onstart:
    refuse_arrays(getattr(workflow.executor_settings, "array_jobs", None))
    # Not where all there is to do is to build them.
    if any(job.container_img for job in workflow.dag.needrun_jobs()):
        refuse_images(PLAN, Path(workflow.basedir))


wildcard_constraints:
    dataset="[^/]+",
    source="[^/]+",
    task="[^/]+",
    design="[^/]+",
    target="[^/]+",
    seed=r"\d+",
    fold=r"\d+",
    part=r"\d+",
    trial=r"\d{4}",


def in_suite(pattern):
    """A path below the suite's folder; wildcards stay."""
    return f"{SUITE}/{pattern}"


def stage_slice(stage):
    """What a stage's code and settings are: a change of it is a reason to run the stage again."""
    return in_suite(layout.STAGE_SLICE.format(stage=stage))


def store_of(wildcards):
    """The store of a data set, from the source this plan found for it."""
    return f"{DATA}/store.h5".format(
        dataset=wildcards.dataset, source=PLAN.sources[wildcards.dataset]
    )


def attempt_at(output):
    """The last attempt at an output that came to nothing: a reason to run again what Snakemake put back as it was before."""
    return lambda wildcards: attempt(Path(output.format(**wildcards)))


def needed(resource):
    """What a job asks of a scheduler, or nothing."""
    return lambda wildcards, attempt: PLAN.needs(
        wildcards.design, wildcards.target, attempt
    ).get(resource)


def needed_by_all(resource):
    """What a job that measures on all targets of the plan asks of a scheduler, or nothing."""
    return lambda wildcards, attempt: PLAN.needs_of_all(attempt).get(resource)


def image_of_all():
    """The image of a job that measures on all targets of the plan: the CUDA image where one is a GPU, since it measures on processors too."""
    devices = {PLAN.targets[name].device for name in PLAN.timed_on}
    return layout.CUDA_IMAGE if "cuda" in devices else layout.CPU_IMAGE


def cores_of_all():
    """On this machine every core; where another scheduler places the job, the most that one of its targets declares."""
    declared = (PLAN.targets[name].cores for name in PLAN.timed_on)
    return workflow.resource_settings.cores or max(declared, default=1)


def image_of(wildcards):
    """The image of a job that runs on a target."""
    device = PLAN.targets[wildcards.target].device
    return layout.CUDA_IMAGE if device == "cuda" else layout.CPU_IMAGE


def on_the_bare_machine():
    """The image of a job that runs in none; where no job does, some image, since Snakemake's lint asks each rule for one."""
    return None if IN_IMAGES else layout.CPU_IMAGE


def package_files():
    """What the package is made of."""
    kinds = (".py", ".c", ".csv", ".html", ".css", ".js")
    return [
        str(path) for path in sorted(Path("src").rglob("*")) if path.suffix in kinds
    ]


def neighbours_of(wildcards):
    """The near-duplicate pairs of a data set's store."""
    return str(Path(store_of(wildcards)).with_name(layout.NEIGHBOURS))


def copies_to_leave_out(wildcards):
    """The near-duplicate pairs, where a data set uses one record of a recording and no other."""
    unused = PLAN.datasets[wildcards.dataset].copies == "unused"
    return neighbours_of(wildcards) if unused else []


def fitted_on(wildcards):
    """The list of records that statistics which came with a data set were fitted on, where it names one."""
    return PLAN.fitted_on(wildcards.dataset) or []


def pretrained_of(wildcards):
    """The status of the run that a cell's design starts from, where it names one."""
    start = PLAN.designs[wildcards.design].pretrained
    cell = dict(wildcards.items()) | {"design": start}
    return in_suite(f"{layout.RUN}/status.json").format(**cell) if start else []


def audit_options(wildcards, input):
    """What a data set says of itself that its audit looks at."""
    groups = ",".join(f"{name}?" for name in PLAN.datasets[wildcards.dataset].groups)
    said = {"--group": groups, "--fitted-on": str(input.fitted_on)}
    return " ".join(f"{name} {quote(value)}" for name, value in said.items() if value)


def each_running(pattern, **fixed):
    """A pattern filled in for every cell that will be started, without repeats."""
    return list(
        dict.fromkeys(
            in_suite(pattern).format(**cell.keys, **fixed) for cell in PLAN.running
        )
    )


def _trials(numbers):
    return [
        in_suite(layout.TRIAL).replace("{trial}", layout.trial_name(n)) for n in numbers
    ]


def trials_before(wildcards):
    """The trials of the rounds before a trial's: what its values follow from. How many are in a round is configured."""
    search = PLAN.designs[wildcards.design].search
    return _trials(range(search.first_of_round(int(wildcards.trial))))


def all_trials(wildcards):
    """Every trial of a search; how many is configured, so the DAG is known before any has run."""
    return _trials(range(PLAN.designs[wildcards.design].search.trials))


def runs_at(wildcards, name):
    """A file of every run that is examined together at a place, its seeds."""
    return [
        in_suite(f"{layout.RUN}/{name}").format(**cell.keys)
        for place, cells in PLAN.examined.items()
        if place.path
        == f"{wildcards.dataset}/{wildcards.task}/{wildcards.design}/{wildcards.target}/fold{wildcards.fold}"
        for cell in cells
    ]


def chosen_for(wildcards):
    """What the search of a cell's design chose, where it has one."""
    return in_suite(layout.CHOSEN) if PLAN.designs[wildcards.design].search else []


def each_source(pattern):
    """A pattern filled in for every data set that has records here."""
    return [
        pattern.format(dataset=name, source=source)
        for name, source in PLAN.sources.items()
        if source
    ]


def index_files(wildcards):
    """A local release's own tables: records are built again when they change."""
    root = PLAN.roots.get(wildcards.dataset)
    dataset = PLAN.datasets[wildcards.dataset]
    return [str(path) for path in index_tables(root, dataset)] if root else []


def where_from(wildcards):
    """Where a release is downloaded from. Ancient: another mirror changes nothing, so it is no reason to run again."""
    return (
        ancient(f"{DATA}/{layout.DOWNLOAD_SLICE}")
        if wildcards.source == "download"
        else []
    )


def fetched_part(wildcards):
    """What says that the files of a part are here, where they are downloaded part by part."""
    return (
        f"{DATA}/parts/part-{{part}}.fetched.json"
        if wildcards.source == "download"
        else []
    )


def parts_of(wildcards):
    """Every part of a data set; how many is configured, so the DAG is known before the data."""
    count = PLAN.datasets[wildcards.dataset].parts
    return expand(
        f"{DATA}/parts/part-{{part}}.h5",
        part=[f"{n:04d}" for n in range(count)],
        allow_missing=True,
    )
