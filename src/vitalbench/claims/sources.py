"""Where facts come from: what configurations declare and others state, and what a suite counted, measured and projects."""

from vitalbench.claims.counted import add_counted, add_saving
from vitalbench.claims.facts import Facts
from vitalbench.claims.side_by_side import add_efficiency
from vitalbench.config.claim_facts import declared_by, target_facts, targets_named
from vitalbench.config.claims_file import facts_of
from vitalbench.config.folder import ConfigFolder
from vitalbench.config.prices import latest_prices
from vitalbench.results import Results


def declared_facts(folder: ConfigFolder) -> Facts:
    """What the configurations of all data sets declare of their whole releases, and what price lists and data sheets say."""
    facts = Facts()
    for name in folder.names("datasets"):
        dataset = folder.dataset(name)
        for fact, value in declared_by(name, dataset.model_dump()).items():
            facts.add(fact, value)
        facts.missing[name] = f"needs the whole {dataset.title} {dataset.version}"
    named = list(facts_of(folder.documents))
    prices = latest_prices(folder.path) if any(fact.startswith("price.") for fact in named) else {}
    for key, price in prices.items():
        facts.add(f"price.{key}", price.usd_per_hour, note=f"USD/h on {price.price_date}, {price.price_source}")
    for name in targets_named(named, folder.names("targets")):
        target = folder.target(name)
        for fact, value in target_facts(name, target.model_dump()).items():
            facts.add(fact, value, note=target.source or "")
    return facts


def suite_facts(results: Results, folder: ConfigFolder) -> Facts:
    """The same, and what was counted in those of a suite's data sets whose whole release is here, measured and projected."""
    facts = declared_facts(folder)
    for name, dataset in results.suite["datasets"].items():
        for fact, value in declared_by(name, dataset).items():
            facts.add(fact, value)
        add_counted(facts, results, name, dataset)
    add_saving(facts, results)
    add_efficiency(facts, results, folder, facts_of(folder.documents))
    return facts
