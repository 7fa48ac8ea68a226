"""How the models of this package learn: batches of equal length, AdamW, a rate that rises, then falls."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

_NEIGHBOURS = 800  # samples among which those of like length are put together
_WARM_UP = 0.06
Sample = TypeVar("Sample")


def batches(
    samples: Sequence[Sample], length: Callable[[Sample], int], most: int, random_: random.Random
) -> Iterator[list[Sample]]:
    """Samples of about equal length together, at most so many tokens at a time, in random order."""
    order = list(samples)
    random_.shuffle(order)
    made: list[list[Sample]] = []
    for begin in range(0, len(order), _NEIGHBOURS):
        batch: list[Sample] = []
        for sample in sorted(order[begin : begin + _NEIGHBOURS], key=length):
            if batch and (len(batch) + 1) * length(sample) > most:
                made.append(batch)
                batch = []
            batch.append(sample)
        made.append(batch)
    random_.shuffle(made)
    yield from made


def learn(
    model: nn.Module,
    loss_of: Callable[[list[Sample]], Tensor],
    epoch: Callable[[random.Random], Iterator[list[Sample]]],
    *,
    epochs: int,
    rate: float,
    seed: int,
) -> None:
    """Passes over the samples, each in an order of its own. Prints how far it is.

    Args:
        model: What learns.
        loss_of: The loss of one batch.
        epoch: The batches of one pass, in an order that the generator of numbers gives.
        epochs: How many passes.
        rate: The highest rate of AdamW.
        seed: Of the order.
    """
    random_ = random.Random(seed)
    optimizer = _optimizer(model, rate)
    total = epochs * sum(1 for _ in epoch(random.Random(0)))
    step, running, begun = 0, 0.0, time.monotonic()
    model.train()
    for _ in range(epochs):
        for batch in epoch(random_):
            scale = min(1.0, (step + 1) / (_WARM_UP * total)) * max(0.0, 1 - step / total)
            for group in optimizer.param_groups:
                group["lr"] = rate * scale
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(batch)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            step += 1
            running = 0.98 * running + 0.02 * loss.item() if step > 1 else loss.item()
            if step % 20 == 0:
                pace = (time.monotonic() - begun) / step
                print(f"step {step}/{total}, loss {running:.4f}, {pace:.2f} s a step", flush=True)
    model.eval()


def _optimizer(model: nn.Module, rate: float) -> torch.optim.Optimizer:
    matrices = [weights for weights in model.parameters() if weights.ndim > 1]
    others = [weights for weights in model.parameters() if weights.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=rate)
