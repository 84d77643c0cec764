"""Finds the polynomial coefficients of Sources/CLossKernels/kernels/elementary.h and prints them as hex floats.

Each function is written as f(t) = base(t) + t^shift * Q(t), where base is exact in Float (1 for exp, t for the
logarithms). Q is the minimax polynomial of (f - base) / t^shift under the weight t^shift / f (log1p: times 1 + t / 2),
that is for the relative error of f. Its coefficients are rounded to Float one at a time, lowest power first, and those
above are solved for again after each rounding, so that they absorb its effect.

    python3 generate.py        (needs mpmath, numpy and scipy; a few seconds)
"""

import mpmath as mp
import numpy as np
from scipy.optimize import linprog

mp.mp.prec = 120
POINTS = 1200


def chebyshev_grid(low, high):
    nodes = np.cos(np.linspace(np.pi, 0.0, POINTS))
    return (low + high) / 2 + (high - low) / 2 * nodes


def minimax(powers, target, weight):
    """The combination of the columns of `powers` whose greatest weight * error against `target` is smallest.

    A linear program rather than Remez's exchange: with its lowest powers fixed, Q is no Haar system on an interval
    that holds zero. It corrects a least-squares start, so that the solver sees numbers of ordinary size.
    """
    rows = powers * weight[:, None]
    start = np.linalg.lstsq(rows, target * weight, rcond=None)[0]
    rest = target * weight - rows @ start
    scale = np.max(np.abs(rest))
    bound = -np.ones((len(rows), 1))
    solution = linprog(
        np.append(np.zeros(rows.shape[1]), 1.0),
        A_ub=np.block([[rows, bound], [-rows, bound]]),
        b_ub=np.concatenate([rest, -rest]) / scale,
        bounds=(None, None),
    )
    return start + solution.x[:-1] * scale


def float_coefficients(grid, target, weight, degree):
    powers = np.vander(grid, degree + 1, increasing=True)
    found = []
    while len(found) <= degree:
        known = len(found)
        rest = target - powers[:, :known] @ np.array(found)
        free = minimax(powers[:, known:], rest, weight)
        found.append(float(np.float32(free[0])))
    return found, np.max(np.abs(weight * (target - powers @ np.array(found))))


def hex_float(value):
    mantissa, exponent = float(value).hex().split("p")
    return f"{mantissa.rstrip('0').rstrip('.')}p{exponent}f"


def report(name, function, base, shift, low, high, degree, emphasis=0.0):
    grid = chebyshev_grid(low, high)
    grid = grid[grid != 0.0]
    # In mpmath, since Double would cancel near t = 0.
    points = [mp.mpf(float(t)) for t in grid]
    values = [function(t) for t in points]
    target = np.array([float((value - base(t)) / t**shift) for t, value in zip(points, values)])
    weight = np.array([float((1 + emphasis * t) * abs(t**shift / value)) for t, value in zip(points, values)])
    found, error = float_coefficients(grid, target, weight, degree)
    factor = f"(1 + {emphasis} t) " if emphasis else ""
    print(f"{name}: t in [{low:.9g}, {high:.9g}], weight {factor}|t^{shift} / f|, degree {degree} + {shift}, "
          f"greatest weighted error 2^{np.log2(error):.2f}")
    for power, value in enumerate(found):
        print(f"    t^{power + shift}: {hex_float(value)}")


if __name__ == "__main__":
    ln2 = mp.log(2)
    ln2_high = float(np.float32(float(ln2)))
    half_ln2 = float(ln2) / 2
    root = float(mp.sqrt(2))
    print("log2(e):", hex_float(np.float32(float(1 / ln2))))
    print("ln(2):  ", hex_float(ln2_high), "+", hex_float(np.float32(float(ln2 - mp.mpf(ln2_high)))))
    report("exp", mp.exp, lambda t: mp.mpf(1), 1, -half_ln2, half_ln2, 5)
    # Rounding errors grow with t here; the approximation's own error makes room for them.
    report("log1p", mp.log1p, lambda t: t, 2, 0.0, 1.0, 7, emphasis=0.5)
    report("log(1 + t)", mp.log1p, lambda t: t, 2, 1 / root - 1, root - 1, 7)
