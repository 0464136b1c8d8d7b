from __future__ import annotations

import pytest
import torch

from retrieval.rerank.calibrate import calibration_error, fit_platt


def _drawn(slope: float, offset: float, n: int = 60_000) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(n, generator=generator) * 2
    chance = torch.sigmoid(slope * logits + offset)
    return logits, torch.rand(n, generator=generator) < chance


@pytest.mark.parametrize(("slope", "offset"), [(1.0, 0.0), (0.5, -2.0), (2.0, 1.0)])
def test_planted_slope_and_offset_are_found(slope: float, offset: float) -> None:
    logits, label = _drawn(slope, offset)
    found = fit_platt(logits, label, torch.ones(len(logits)))
    torch.testing.assert_close(found, torch.tensor([slope, offset]), atol=0.06, rtol=0)


def test_a_weight_of_three_counts_as_three_candidates() -> None:
    logits, label = _drawn(1.0, -1.0, 3_000)
    weight = torch.where(label, 1.0, 3.0)
    times = weight.long()
    repeated = fit_platt(
        logits.repeat_interleave(times), label.repeat_interleave(times), torch.ones(times.sum())
    )
    torch.testing.assert_close(fit_platt(logits, label, weight), repeated, atol=1e-4, rtol=0)


def test_the_mean_probability_is_the_rate() -> None:
    logits, label = _drawn(0.7, -3.0)
    slope, offset = fit_platt(logits, label, torch.ones(len(logits)))
    assert float(torch.sigmoid(slope * logits + offset).mean()) == pytest.approx(
        float(label.float().mean()), abs=1e-4
    )


@pytest.mark.parametrize("label", [[True, True], [False, False], []])
def test_without_both_answers_scores_stay_as_they_are(label: list[bool]) -> None:
    n = len(label)
    found = fit_platt(torch.arange(n).float(), torch.tensor(label, dtype=torch.bool), torch.ones(n))
    assert found.tolist() == [1.0, 0.0]


@pytest.mark.parametrize("shift", [4.0, 12.0, 25.0])
def test_scores_far_from_the_answer_are_calibrated_too(shift):
    generator = torch.Generator().manual_seed(0)
    logits = shift - 4 + 2 * torch.randn(4000, generator=generator)
    label = torch.rand(4000, generator=generator) < torch.sigmoid(logits - shift)
    weight = 1 + torch.rand(4000, generator=generator)

    slope, offset = fit_platt(logits, label, weight)

    # At the minimum, with an offset, the mean chance is the share that was taken.
    chance = torch.sigmoid(slope * logits + offset)
    torch.testing.assert_close(
        (weight * chance).sum() / weight.sum(),
        (weight * label).sum() / weight.sum(),
        atol=1e-3,
        rtol=0,
    )


def test_the_calibration_error_is_that_of_the_bins_by_hand() -> None:
    chance = torch.tensor([0.1, 0.3, 0.6, 0.8])
    label = torch.tensor([False, True, True, True])
    one = torch.ones(4)
    # Two bins: chances 0.2 and 0.7 on average, came true 1 of 2 and 2 of 2.
    expected = (abs(0.2 - 0.5) + abs(0.7 - 1.0)) / 2
    shuffled = torch.tensor([2, 0, 3, 1])
    found = calibration_error(chance[shuffled], label[shuffled], one, bins=2)
    assert found == pytest.approx(expected)
    twice = torch.cat([chance, chance]), torch.cat([label, label]), torch.ones(8)
    assert calibration_error(*twice, bins=2) == pytest.approx(expected)
    assert calibration_error(chance, label, 2 * one, bins=2) == pytest.approx(expected)


def test_true_chances_have_almost_no_calibration_error() -> None:
    logits, label = _drawn(1.0, -2.0)
    chance = torch.sigmoid(logits - 2.0)
    assert calibration_error(chance, label, torch.ones(len(chance))) < 0.005
    assert calibration_error(chance / 2, label, torch.ones(len(chance))) > 0.05
