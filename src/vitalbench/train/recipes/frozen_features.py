"""Train the head of a model on what its encoder says of each record; the encoder stays as it was drawn or pre-trained.

A frozen encoder says the same of a record in every epoch, so that is computed once (`fast.features`); its kernels are constants.
Both can be turned off, and then the encoder runs in every step, as a plain implementation has it.
"""

from vitalbench.measure.clock import Stopwatch
from vitalbench.measure.phases import Phase
from vitalbench.train.context import Context, Outcome


def fit(context: Context) -> Outcome:
    """Train the head, then score validation and test records."""
    watch = Stopwatch()
    # Imported here: a control that needs no network should not wait for torch.
    import numpy as np

    from vitalbench.train.batches import Batches, Scale
    from vitalbench.train.features import computed_once
    from vitalbench.train.fitting import prepare, scored, train
    from vitalbench.train.frozen import precision_of
    from vitalbench.train.strategy import full_weights

    fitting = prepare(context, watch.lap())
    frozen, fast, device = fitting.stepped.frozen, context.design.computed, fitting.accelerator.device
    model = context.design.model
    assert frozen is not None  # the recipe says so
    assert model is not None
    told = {
        "frozen_parameters": sum(parameter.numel() for parameter in frozen.encoder.parameters()),
        "frozen_buffers": sum(buffer.numel() for buffer in frozen.encoder.buffers()),
        "encoder_precision": precision_of(model.name, fast, device),
    }
    if not fast.features:
        trained, facts = train(fitting, fitting.stepped, fitting.batches)
        return scored(fitting, trained, fitting.batches, full_weights(trained.model), facts | told)
    wanted = np.concatenate([fitting.training.rows, fitting.validation.rows, fitting.scored])
    size = fitting.settings.batch_size
    with context.keeper.features() as folder:
        features, seconds = computed_once(
            lambda x: frozen.encode(x.to(device)), fitting.batches, wanted, folder, fitting.clock, context.say
        )
        fitting.phases.append(Phase("features", seconds, items=size, unit="record", batch_size=size))
        batches = Batches(features, Scale(0.0, 1.0), None, size)
        trained, facts = train(fitting, fitting.stepped, batches)
        told["featured_records"] = len(features.rows)
        return scored(fitting, trained, batches, full_weights(frozen), facts | told)
