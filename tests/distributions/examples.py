"""What the conformance suite needs of each row of vectors, of matrices and of distributions: laws, with references."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.special
import scipy.stats

from exmc.distributions import (
    AR,
    CAR,
    ICAR,
    Categorical,
    Censored,
    Custom,
    Dirichlet,
    DirichletMultinomial,
    Flat,
    Gamma,
    GaussianRandomWalk,
    Geometric,
    HalfNormal,
    Hurdle,
    IntervalCensored,
    LKJCholesky,
    LKJCholeskyCov,
    LogNormal,
    MarkovChain,
    Mixture,
    Multinomial,
    MvGaussianRandomWalk,
    MvNormal,
    MvStudentT,
    Normal,
    OrderedLogistic,
    OrderedProbit,
    Pareto,
    Poisson,
    Rice,
    StudentT,
    Truncated,
    TruncatedNormal,
    Uniform,
    ZeroInflated,
    ZeroSumNormal,
)
from exmc.distributions.base import Given


@dataclass(frozen=True)
class Example:
    """A law to try.

    Attributes
    ----------
    given
        The distribution with its parameters.
    event
        The shape of one value.
    reference
        From one value to its log density, by another way; None: its integral is compared with one.
    outside
        Values that are not in the support.
    seen
        Values to try, where draws are not enough (censored ones).
    proper
        Whether it has draws and integrates to one.
    """

    given: Given
    event: tuple[int, ...] = ()
    reference: Callable[[Any], Any] | None = None
    outside: tuple[Any, ...] = ()
    seen: tuple[float, ...] = ()
    proper: bool = True


_COVARIANCE = np.array([[2.0, 0.6], [0.6, 0.5]])
_MEAN = np.array([1.0, -2.0])
_NORMAL = scipy.stats.multivariate_normal(_MEAN, _COVARIANCE)
_STUDENT = scipy.stats.multivariate_t(_MEAN, _COVARIANCE, df=12.0)
_WEIGHTS = np.array([0.2, 0.5, 0.3])
_OWN = "tests.distributions.own_density"


def _zero_sum(value):
    basis = scipy.linalg.null_space(np.ones((1, len(value))))
    return scipy.stats.norm(0.0, 1.5).logpdf(basis.T @ value).sum()


def _ordered_logistic(value):
    cuts = np.concatenate([[-np.inf], [-1.0, 0.3, 2.0], [np.inf]])
    above, below = scipy.special.expit(0.4 - cuts[:-1]), scipy.special.expit(0.4 - cuts[1:])
    return np.log((above - below)[int(value)])


def _ordered_probit(value):
    below = scipy.stats.norm.cdf((np.array([-np.inf, -1.0, 0.3, 2.0, np.inf]) - 0.4) / 1.5)
    return np.log(np.diff(below)[int(value)])


def _truncated_category(value):
    return np.log(np.array([0.0, 0.5, 0.3])[int(value)] / 0.8)


def _censored_category(value):
    below = scipy.special.expit(np.array([-1.0, 0.3, 2.0]) - 0.4)
    return np.log(np.array([below[0], below[1] - below[0], 1.0 - below[1]])[int(value)])


def _truncated_probit(value):
    below = scipy.stats.norm.cdf(np.array([-1.0, 0.3, 2.0]) - 0.4)
    return np.log(np.array([below[0], below[1] - below[0], below[2] - below[1]])[int(value)] / below[2])


def _truncated_rice(value):
    rice = scipy.stats.rice(1.0, scale=2.0)
    return rice.logpdf(value) - np.log(rice.cdf(5.0) - rice.cdf(1.0))


def _lkj_of_two(value):
    eta = 1.7
    scale = (2 * eta - 1) * np.log(2.0) + scipy.special.betaln(eta, eta)
    return (eta - 1.0) * np.log1p(-(value[1, 0] ** 2)) - scale


def _lkj_cov_of_two(value):
    scales = np.hypot(value[:, 0], value[:, 1])
    c = value[1, 0] / scales[1]
    correlation = _lkj_of_two(np.array([[1.0, 0.0], [c, np.sqrt(1.0 - c * c)]]))
    # d(L10, L11) / d(scale, c) for L10 = scale c and L11 = scale sqrt(1 - c^2)
    volume = np.log(scales[1]) - 0.5 * np.log1p(-c * c)
    return scipy.stats.lognorm([0.4, 0.33], scale=np.exp([0.3, 0.6])).logpdf(scales).sum() + correlation - volume


# A walk is a normal vector: its covariance is that of sums.
_SUMS = np.tril(np.ones((3, 3)))
_WALK = scipy.stats.multivariate_normal(0.5 + 0.2 * np.arange(3), _SUMS @ np.diag([1.5**2, 0.7**2, 0.7**2]) @ _SUMS.T)


def _heavy_walk(value):
    return scipy.stats.t(12.0).logpdf(value[0]) + scipy.stats.norm(0.0, 0.7).logpdf(np.diff(value)).sum()


def _vector_walk(value):
    steps = scipy.stats.multivariate_normal([0.1, 0.0], _COVARIANCE)
    return scipy.stats.norm(0.0, [1.0, 2.0]).logpdf(value[0]).sum() + steps.logpdf(value[1] - value[0])


def _joint_walk(value):
    return _NORMAL.logpdf(value[0]) + scipy.stats.multivariate_normal(np.zeros(2), _COVARIANCE).logpdf(
        value[1] - value[0]
    )


def _series(value):
    start = scipy.stats.norm(0.0, [1.0, 2.0]).logpdf(value[:2]).sum()
    return start + scipy.stats.norm(0.3 + 0.5 * value[1] - 0.2 * value[0], 0.8).logpdf(value[2])


def _joint_series(value):
    return _NORMAL.logpdf(value[:2]) + scipy.stats.norm(0.5 * value[1] - 0.2 * value[0], 1.0).logpdf(value[2])


_ADJACENT = np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0]])
_PATH = np.array([0, 1]), np.array([2, 2])


def _car(weights):
    precision = 1.5 * (np.diag(weights.sum(0)) - 0.6 * weights)
    return scipy.stats.multivariate_normal([0.1, 0.2, -0.3], np.linalg.inv(precision)).logpdf


def _icar(value):
    laplacian = np.array([[1.0, 0.0, -1.0], [0.0, 1.0, -1.0], [-1.0, -1.0, 2.0]])
    basis = scipy.linalg.null_space(np.ones((1, 3)))
    within = np.linalg.inv(basis.T @ laplacian @ basis / 1.5**2)
    return scipy.stats.multivariate_normal(np.zeros(2), within).logpdf(basis.T @ value)


_MOVES = np.array([[0.6, 0.3, 0.1], [0.05, 0.8, 0.15], [0.25, 0.0, 0.75]])
_CHANGING = np.stack([_MOVES, _MOVES[::-1]])


def _chain(value, moves=(_MOVES, _MOVES)):
    path = np.asarray(value).astype(int)
    factors = [_WEIGHTS[path[0]], *(m[i, j] for m, i, j in zip(moves, path[:-1], path[1:], strict=True))]
    return scipy.special.xlogy(1.0, factors).sum()


def _mixture(value):
    return np.log(0.3 * scipy.stats.norm.pdf(value) + 0.7 * scipy.stats.norm.pdf(value, 4.0, 0.5))


def _truncated_gamma(value):
    gamma = scipy.stats.gamma(2.5, scale=1.0 / 1.5)
    return gamma.logpdf(value) - np.log(gamma.cdf(3.0) - gamma.cdf(0.5))


def _truncated_pareto(value):
    pareto = scipy.stats.pareto(3.0, scale=2.0)
    return pareto.logpdf(value) - pareto.logcdf(6.0)


def _truncated_student(value):
    return scipy.stats.t(3.0, 0.5).logpdf(value) - scipy.stats.t(3.0, 0.5).logcdf(-4.0)


def _truncated_geometric(value):
    return scipy.stats.geom(0.4).logpmf(value) - np.log(0.6)


def _truncated_poisson(value):
    poisson = scipy.stats.poisson(3.0)
    return poisson.logpmf(value) - np.log(poisson.pmf(np.arange(1, 6)).sum())


def _censored(value):
    normal = scipy.stats.norm(0.5, 2.0)
    return np.where(value <= -1.0, normal.logcdf(-1.0), np.where(value >= 2.0, normal.logsf(2.0), normal.logpdf(value)))


def _censored_count(value):
    poisson = scipy.stats.poisson(3.0)
    return np.where(value >= 4, np.log(1.0 - poisson.cdf(3)), poisson.logpmf(value))


def _interval(value):
    normal = scipy.stats.norm(0.5, 2.0)
    return normal.logpdf(value) if value == 2.0 else np.log(normal.cdf(2.0) - normal.cdf(value))


def _zero_inflated(value):
    return np.log(0.25 * (value == 0) + 0.75 * scipy.stats.poisson(3.0).pmf(value))


def _inflated_trials(value):
    return np.log(0.25 * (value == 0) + 0.75 * scipy.stats.geom(0.4).pmf(value))


def _truncated_count(value):
    return np.where(value == 0, np.log(0.25), np.log(0.75) + _truncated_poisson(value))


def _hurdle(value):
    poisson = scipy.stats.poisson(3.0)
    rest = np.log(0.75) + poisson.logpmf(value) - np.log1p(-poisson.pmf(0))
    return np.where(value == 0, np.log(0.25), rest)


def _hurdle_gamma(value):
    rest = np.log(0.75) + scipy.stats.gamma(2.5, scale=1.0 / 1.5).logpdf(np.where(value == 0, 1.0, value))
    return np.where(value == 0, np.log(0.25), rest)


EXAMPLES: dict[str, tuple[Example, ...]] = {
    "Dirichlet": (
        Example(
            Dirichlet(alpha=np.array([0.7, 2.0, 3.5])),
            (3,),
            lambda value: scipy.stats.dirichlet([0.7, 2.0, 3.5]).logpdf(value),
            outside=([0.5, 0.4, 0.2], [1.2, -0.1, -0.1]),
        ),
        Example(Dirichlet(alpha=1.5), (3,), lambda value: scipy.stats.dirichlet([1.5] * 3).logpdf(value)),
    ),
    "MvNormal": (
        Example(MvNormal(_MEAN, cov=_COVARIANCE), (2,), _NORMAL.logpdf),
        Example(MvNormal(_MEAN, chol=np.linalg.cholesky(_COVARIANCE)), (2,), _NORMAL.logpdf),
        Example(MvNormal(_MEAN, precision=np.linalg.inv(_COVARIANCE)), (2,), _NORMAL.logpdf),
        Example(MvNormal(cov=_COVARIANCE), (2,), scipy.stats.multivariate_normal(np.zeros(2), _COVARIANCE).logpdf),
    ),
    "MvStudentT": (
        Example(MvStudentT(12.0, _MEAN, cov=_COVARIANCE), (2,), _STUDENT.logpdf),
        Example(MvStudentT(12.0, _MEAN, chol=np.linalg.cholesky(_COVARIANCE)), (2,), _STUDENT.logpdf),
        Example(MvStudentT(12.0, _MEAN, precision=np.linalg.inv(_COVARIANCE)), (2,), _STUDENT.logpdf),
    ),
    "Multinomial": (
        Example(
            Multinomial(7, _WEIGHTS),
            (3,),
            scipy.stats.multinomial(7, _WEIGHTS).logpmf,
            outside=([1.0, 2.0, 3.0], [8.0, -1.0, 0.0], [3.5, 3.5, 0.0]),
        ),
        Example(
            Multinomial(7, logits=np.log(_WEIGHTS) - 700.0),
            (3,),
            scipy.stats.multinomial(7, _WEIGHTS).logpmf,
            outside=([1.0, 2.0, 3.0],),
        ),
    ),
    "DirichletMultinomial": (
        Example(
            DirichletMultinomial(7, np.array([0.7, 2.0, 3.5])),
            (3,),
            scipy.stats.dirichlet_multinomial([0.7, 2.0, 3.5], 7).logpmf,
            outside=([1.0, 2.0, 3.0], [8.0, -1.0, 0.0], [3.5, 3.5, 0.0]),
        ),
    ),
    "LKJCholesky": (
        Example(LKJCholesky(1.7), (2, 2), _lkj_of_two),
        Example(LKJCholesky(0.8), (3, 3)),
        Example(LKJCholesky(2.5), (3, 3)),
    ),
    "LKJCholeskyCov": (
        Example(
            LKJCholeskyCov(2, 1.7, LogNormal(np.array([0.3, 0.6]), np.array([0.4, 0.33]))), (2, 2), _lkj_cov_of_two
        ),
        Example(LKJCholeskyCov(eta=3.0, sd_dist=LogNormal(0.6, 0.33)), (2, 2)),
    ),
    "GaussianRandomWalk": (
        Example(GaussianRandomWalk(0.2, 0.7, Normal(0.5, 1.5)), (3,), _WALK.logpdf),
        Example(GaussianRandomWalk(sigma=0.7, init_dist=StudentT(12.0)), (2,), _heavy_walk),
    ),
    "MvGaussianRandomWalk": (
        Example(
            MvGaussianRandomWalk(np.array([0.1, 0.0]), cov=_COVARIANCE, init_dist=Normal(0.0, np.array([1.0, 2.0]))),
            (2, 2),
            _vector_walk,
        ),
        Example(
            MvGaussianRandomWalk(chol=np.linalg.cholesky(_COVARIANCE), init_dist=MvNormal(_MEAN, cov=_COVARIANCE)),
            (2, 2),
            _joint_walk,
        ),
        Example(
            MvGaussianRandomWalk(precision=np.linalg.inv(_COVARIANCE), init_dist=MvNormal(_MEAN, cov=_COVARIANCE)),
            (2, 2),
            _joint_walk,
        ),
    ),
    "AR": (
        Example(AR(np.array([0.5, -0.2]), 0.8, 0.3, Normal(0.0, np.array([1.0, 2.0]))), (3,), _series),
        Example(AR(np.array([0.5, -0.2]), init_dist=MvNormal(_MEAN, cov=_COVARIANCE)), (3,), _joint_series),
    ),
    "CAR": (
        Example(CAR(np.array([0.1, 0.2, -0.3]), _ADJACENT, 0.6, 1.5), (3,), _car(_ADJACENT)),
        Example(
            CAR(np.array([0.1, 0.2, -0.3]), alpha=0.6, tau=1.5, node1=_PATH[0], node2=_PATH[1]),
            (3,),
            _car(np.array([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]])),
        ),
    ),
    "ICAR": (
        Example(ICAR(sigma=1.5, node1=_PATH[0], node2=_PATH[1]), (3,), _icar, outside=([1.0, 1.0, 1.0],)),
        Example(ICAR(_ADJACENT, 1.5), (3,)),
    ),
    "MarkovChain": (
        Example(MarkovChain(_WEIGHTS, _MOVES), (3,), _chain, outside=([0, 3, 0], [-1, 0, 0], [0, 0.5, 0])),
        Example(MarkovChain(_WEIGHTS, _CHANGING), (3,), lambda value: _chain(value, _CHANGING), outside=([0, 1, 3],)),
        Example(
            MarkovChain(initial_logits=np.log(_WEIGHTS) + 700.0, transition_logits=np.log(_MOVES + 1e-9)[None] - 3.0),
            (3,),
            lambda value: _chain(value, ((_MOVES + 1e-9) / (1.0 + 3e-9),) * 2),
            outside=([0, 3, 0],),
        ),
        Example(MarkovChain(_WEIGHTS, transition_logits=np.zeros((3, 3))), (1,), lambda v: np.log(_WEIGHTS[int(v[0])])),
        Example(MarkovChain(initial_logits=np.log(_WEIGHTS), transition=_MOVES), (3,), _chain, outside=([9, 0, 0],)),
    ),
    "ZeroSumNormal": (Example(ZeroSumNormal(1.5), (3,), _zero_sum, outside=([1.0, 1.0, 1.0],)),),
    "Categorical": (
        Example(Categorical(_WEIGHTS), (), lambda value: np.log(_WEIGHTS[int(value)]), outside=(3.0, -1.0, 0.5)),
        Example(
            Categorical(logits=np.log(_WEIGHTS) + 700.0),
            (),
            lambda value: np.log(_WEIGHTS[int(value)]),
            outside=(3.0, -1.0, 0.5),
        ),
    ),
    "OrderedLogistic": (
        Example(OrderedLogistic(0.4, np.array([-1.0, 0.3, 2.0])), (), _ordered_logistic, outside=(4.0, -1.0, 0.5)),
    ),
    "OrderedProbit": (
        Example(OrderedProbit(0.4, np.array([-1.0, 0.3, 2.0]), 1.5), (), _ordered_probit, outside=(4.0, -1.0, 0.5)),
    ),
    "Truncated": (
        Example(Truncated(Normal(0.0, 1.0), lower=0.5), (), scipy.stats.truncnorm(0.5, np.inf).logpdf, outside=(0.4,)),
        Example(
            Truncated(Normal(0.0, 1.0), upper=-6.0), (), scipy.stats.truncnorm(-np.inf, -6.0).logpdf, outside=(0.0,)
        ),
        Example(
            Truncated(Normal(0.0, 1.0), lower=30.0, upper=31.0),
            (),
            scipy.stats.truncnorm(30.0, 31.0).logpdf,
            outside=(29.9, 31.1),
        ),
        Example(Truncated(Gamma(2.5, 1.5), lower=0.5, upper=3.0), (), _truncated_gamma, outside=(0.4, 3.1)),
        Example(
            Truncated(Uniform(0.0, 4.0), lower=-1.0, upper=3.0),
            (),
            scipy.stats.uniform(0.0, 3.0).logpdf,
            outside=(3.1,),
        ),
        Example(Truncated(Poisson(3.0), lower=1.0, upper=5.0), (), _truncated_poisson, outside=(0.0, 6.0)),
        Example(Truncated(Normal(0.0, 1.0)), (), scipy.stats.norm.logpdf),
        Example(
            Truncated(TruncatedNormal(0.0, 1.0, lower=-1.0, upper=2.0), lower=0.5),
            (),
            scipy.stats.truncnorm(0.5, 2.0).logpdf,
            outside=(0.4, 2.1),
        ),
        Example(Truncated(Pareto(3.0, 2.0), lower=1.0, upper=6.0), (), _truncated_pareto, outside=(1.5, 6.1)),
        Example(Truncated(StudentT(3.0, 0.5, 1.0), upper=-4.0), (), _truncated_student, outside=(-3.9,)),
        Example(Truncated(Geometric(0.4), lower=2.0), (), _truncated_geometric, outside=(1.0, 2.5)),
        Example(Truncated(Categorical(_WEIGHTS), lower=1.0), (), _truncated_category, outside=(0.0, 1.5, 3.0)),
        Example(
            Truncated(OrderedProbit(0.4, np.array([-1.0, 0.3, 2.0])), upper=2.0), (), _truncated_probit, outside=(3.0,)
        ),
        Example(Truncated(Rice(2.0, 2.0), lower=1.0, upper=5.0), (), _truncated_rice, outside=(0.9, 5.1)),
    ),
    "Censored": (
        Example(
            Censored(Normal(0.5, 2.0), lower=-1.0, upper=2.0),
            (),
            _censored,
            outside=(-1.1, 2.1),
            seen=(-1.0, -0.5, 1.9, 2.0),
        ),
        Example(
            Censored(OrderedLogistic(0.4, np.array([-1.0, 0.3, 2.0])), upper=2.0),
            (),
            _censored_category,
            outside=(3.0,),
            seen=(0.0, 1.0, 2.0),
        ),
        Example(Censored(Poisson(3.0), upper=4.0), (), _censored_count, outside=(5.0,), seen=(0.0, 3.0, 4.0)),
    ),
    "IntervalCensored": (
        Example(IntervalCensored(Normal(0.5, 2.0), upper=2.0), (), _interval, seen=(-8.0, 0.0, 1.9, 2.0)),
        Example(
            IntervalCensored(Poisson(3.0), upper=4.0),
            (),
            lambda value: np.log(scipy.stats.poisson(3.0).cdf(4) - scipy.stats.poisson(3.0).cdf(value - 1)),
            seen=(0.0, 2.0, 4.0),
        ),
    ),
    "Mixture": (
        Example(Mixture(np.array([0.3, 0.7]), (Normal(0.0, 1.0), Normal(4.0, 0.5))), (), _mixture),
        Example(
            Mixture(np.array([0.3, 0.7]), (HalfNormal(1.0), LogNormal(0.0, 0.5))),
            (),
            lambda value: np.log(0.3 * scipy.stats.halfnorm.pdf(value) + 0.7 * scipy.stats.lognorm(0.5).pdf(value)),
            outside=(-0.1,),
        ),
        Example(
            Mixture(np.array([0.3, 0.7]), (Uniform(0.0, 2.0), Uniform(1.0, 4.0))),
            (),
            lambda value: np.log(0.15 * ((value >= 0) & (value <= 2)) + 0.7 / 3 * ((value >= 1) & (value <= 4))),
            outside=(-0.1, 4.1),
        ),
        Example(
            Mixture(np.array([0.3, 0.7]), (Poisson(0.5), Poisson(6.0))),
            (),
            lambda value: np.log(0.3 * scipy.stats.poisson(0.5).pmf(value) + 0.7 * scipy.stats.poisson(6.0).pmf(value)),
            outside=(-1.0, 0.5),
        ),
        Example(
            Mixture(np.array([0.3, 0.7]), (MvNormal(_MEAN, cov=_COVARIANCE), MvNormal(0.0, cov=_COVARIANCE))),
            (2,),
            lambda value: np.log(
                0.3 * _NORMAL.pdf(value) + 0.7 * scipy.stats.multivariate_normal(np.zeros(2), _COVARIANCE).pdf(value)
            ),
        ),
        Example(
            Mixture(np.array([0.3, 0.7]), (MarkovChain(_WEIGHTS, _MOVES), MarkovChain(_WEIGHTS, _CHANGING))),
            (3,),
            lambda value: np.log(0.3 * np.exp(_chain(value)) + 0.7 * np.exp(_chain(value, _CHANGING))),
            outside=([0, 3, 0],),
        ),
    ),
    "ZeroInflated": (
        Example(ZeroInflated(Poisson(3.0), 0.25), (), _zero_inflated, outside=(-1.0, 0.5)),
        # Zero is none of their own values.
        Example(ZeroInflated(Geometric(0.4), 0.25), (), _inflated_trials, outside=(-1.0, 0.5)),
    ),
    "Hurdle": (
        Example(Hurdle(Poisson(3.0), 0.25), (), _hurdle, outside=(-1.0, 0.5)),
        Example(Hurdle(Gamma(2.5, 1.5), 0.25), (), _hurdle_gamma, outside=(-1.0,)),
        Example(Hurdle(Truncated(Poisson(3.0), lower=1.0, upper=5.0), 0.25), (), _truncated_count, outside=(-1.0, 6.0)),
    ),
    "Custom": (
        Example(
            Custom(f"{_OWN}:log_density", draw=f"{_OWN}:draw", scale=1.5), (), scipy.stats.logistic(0.0, 1.5).logpdf
        ),
        Example(
            Custom(f"{_OWN}:of_vectors", event_rank="1", draw=f"{_OWN}:draw_vectors", scale=np.array([1.0, 2.0])),
            (2,),
            lambda value: scipy.stats.norm(0.0, [1.0, 2.0]).logpdf(value).sum(),
        ),
    ),
    "Flat": (
        Example(Flat(), proper=False),
        Example(Flat(lower=1.0), outside=(0.9,), proper=False),
        Example(Flat(upper=1.0), outside=(1.1,), proper=False),
        Example(Flat(lower=-1.0, upper=3.0), outside=(-1.1, 3.1), proper=False),
    ),
}
