"""The live posterior: every scalar's mean, spread, quantiles and convergence, from draws as they come."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from exmc.diagnostics.live.chain import ChainSummary, Detail
from exmc.diagnostics.live.convergence import effective_draws, split_r_hat
from exmc.diagnostics.live.moments import FloatArray, Moments, together
from exmc.diagnostics.live.sketch import Sketch, quantiles
from exmc.errors import StoreError, suggest
from exmc.late import Late

if TYPE_CHECKING:
    import xarray as xr
else:
    xr = Late("xarray")


class Variable(NamedTuple):
    """One variable of the posterior: its name, the shape and dims of one draw."""

    name: str
    shape: tuple[int, ...]
    dims: tuple[str, ...]

    @property
    def scalars(self) -> int:
        """How many numbers a draw of it is."""
        return int(np.prod(self.shape, dtype=np.int64))


class LivePosterior:
    """The draws of a run, summed up as they come; any thread may add to it and look at it.

    A draw is known by its chain and number, and counts once, whichever segments bring it. Each costs a few operations a
    scalar; memory does not grow with their number.

    Parameters
    ----------
    variables
        What a draw consists of.
    coords
        The labels of each dim of the variables.
    chains
        How many there are.
    detail
        What is kept beside means and convergence; quantiles by default.
    """

    def __init__(
        self,
        variables: Sequence[Variable],
        coords: Mapping[str, NDArray[Any]],
        chains: int,
        detail: Detail | None = None,
    ) -> None:
        self.variables = {variable.name: variable for variable in variables}
        self._coords = coords
        self._places: dict[str, slice] = {}
        begin = 0
        for variable in variables:
            self._places[variable.name] = slice(begin, begin + variable.scalars)
            begin += variable.scalars
        self.scalars = begin
        self.detail = detail or Detail.fitting(begin, chains)
        self.chains = [ChainSummary(begin, self.detail) for _ in range(chains)]
        self.failed: set[int] = set()
        # Guards all of this object: a reader must not meet a chain that is half updated.
        self.lock = threading.RLock()

    def add(
        self, chain: int, first: int, draws: Mapping[str, NDArray[Any]], statistics: Mapping[str, NDArray[Any]]
    ) -> int:
        """Add draws ``[first, first + n)`` of `chain`; returns how many of them were new.

        Parameters
        ----------
        draws
            Of each variable, shape (n, ...).
        statistics
            ``energy`` and ``diverging``, shape (n,).

        Raises
        ------
        StoreError
            If draws before them are missing.
        """
        energy = np.asarray(statistics["energy"], dtype=np.float64)
        shapes = {variable.name: (len(energy), variable.scalars) for variable in self.variables.values()}
        columns = [np.asarray(draws[name], dtype=np.float64).reshape(shape) for name, shape in shapes.items()]
        table = np.concatenate(columns, axis=1)
        with self.lock, np.errstate(invalid="ignore", over="ignore"):
            return self.chains[chain].add(first, table, energy, np.asarray(statistics["diverging"], dtype=bool))

    def leave_out(self, failed: Sequence[int]) -> None:
        """Take these chains as those that failed: what is said of all chains is said without them."""
        with self.lock:
            self.failed = set(failed)

    def __getitem__(self, name: str) -> LiveVariable:
        """What is known of one variable; raises `StoreError` if there is none of this name."""
        if name not in self.variables:
            raise StoreError(f"the posterior has no variable {name!r}.", remedy=suggest(name, self.variables))
        return LiveVariable(self, self.variables[name])

    def place(self, name: str) -> slice:
        """Where the scalars of a variable are among all."""
        return self._places[name]

    def counted(self) -> list[ChainSummary]:
        """The chains that have draws and did not fail."""
        return [c for number, c in enumerate(self.chains) if c.draws and number not in self.failed]

    @property
    def draws(self) -> int:
        """Draws of all chains that are counted."""
        return sum(chain.draws for chain in self.counted())

    @property
    def divergences(self) -> int:
        """Divergences among the `draws`."""
        return sum(chain.divergences for chain in self.counted())

    def total(self) -> Moments:
        """The moments of the draws of all chains."""
        return together((chain.total for chain in self.counted()), (self.scalars,))

    def r_hat(self) -> FloatArray:
        """Split R-hat of every scalar, shape (scalar,)."""
        with self.lock, np.errstate(invalid="ignore"):
            counted = [chain.batches for chain in self.counted()]
            return split_r_hat(counted) if counted else np.full(self.scalars, np.nan)

    def ess_bulk(self) -> FloatArray:
        """The effective sample size of every scalar, shape (scalar,)."""
        with self.lock, np.errstate(invalid="ignore"):
            return effective_draws([chain.batches for chain in self.counted()], self.total())

    def labelled(self, variable: Variable, values: ArrayLike, leading: Mapping[str, ArrayLike]) -> xr.DataArray:
        """`values`, shape (..., scalar), of a variable, with its dims and labels after those of `leading`."""
        array = np.asarray(values)
        shaped = array.reshape((*array.shape[:-1], *variable.shape))
        coords = dict(leading) | {dim: self._coords[dim] for dim in variable.dims if dim in self._coords}
        return xr.DataArray(shaped, dims=(*leading, *variable.dims), coords=coords, name=variable.name)

    def labels(self) -> list[str]:
        """The label of every scalar, such as ``theta[Choate]``."""
        found: list[str] = []
        for variable in self.variables.values():
            axes = [self._coords.get(d, np.arange(n)) for d, n in zip(variable.dims, variable.shape, strict=True)]
            for index in np.ndindex(*variable.shape):
                inside = ", ".join(str(axis[i]) for axis, i in zip(axes, index, strict=True))
                found.append(f"{variable.name}[{inside}]" if index else variable.name)
        return found

    def summary(self) -> xr.Dataset:
        """Every scalar along ``scalar``: mean, sd, mcse_mean, ess_bulk, r_hat; the worst R-hat first, unknown last."""
        with self.lock:
            total, r_hat, ess = self.total(), self.r_hat(), self.ess_bulk()
        with np.errstate(invalid="ignore"):
            sd = np.sqrt(total.variance)
            columns = {"mean": total.mean, "sd": sd, "mcse_mean": sd / np.sqrt(ess), "ess_bulk": ess, "r_hat": r_hat}
        order = np.argsort(np.where(np.isnan(r_hat), np.inf, -r_hat), kind="stable")
        labels = np.array(self.labels(), dtype=object)
        return xr.Dataset({k: ("scalar", v[order]) for k, v in columns.items()}, {"scalar": labels[order]})

    def by_chain(self) -> xr.Dataset:
        """Every chain along ``chain``: draws, divergences, the mean of the energy, BFMI, whether it failed."""
        with self.lock:
            chains = self.chains
            columns: dict[str, list[Any]] = {
                "draws": [chain.draws for chain in chains],
                "divergences": [chain.divergences for chain in chains],
                "energy": [float(chain.energy.mean) if chain.draws else np.nan for chain in chains],
                "bfmi": [chain.bfmi for chain in chains],
                "failed": [number in self.failed for number in range(len(chains))],
            }
        return xr.Dataset({k: ("chain", v) for k, v in columns.items()}, {"chain": np.arange(len(chains))})


class LiveVariable:
    """What a live posterior knows of one variable now, as arrays with the variable's dims and labels.

    Those named ``chain_...`` have a dim ``chain`` before them, for every chain.
    """

    def __init__(self, posterior: LivePosterior, variable: Variable) -> None:
        self._posterior = posterior
        self._variable = variable
        self._place = posterior.place(variable.name)

    @property
    def mean(self) -> xr.DataArray:
        """The mean of the draws; of none, NaN."""
        return self._pooled(_mean_of(self._total()))

    @property
    def sd(self) -> xr.DataArray:
        """Their standard deviation, over n - 1."""
        return self._pooled(np.sqrt(self._total().variance))

    @property
    def mcse_mean(self) -> xr.DataArray:
        """The Monte Carlo standard error of the mean."""
        return self.sd / np.sqrt(self.ess_bulk)

    @property
    def ess_bulk(self) -> xr.DataArray:
        """The effective sample size of the mean, which is that of the bulk unless tails are long."""
        return self._pooled(self._posterior.ess_bulk()[self._place])

    @property
    def r_hat(self) -> xr.DataArray:
        """Split R-hat, of the draws themselves."""
        return self._pooled(self._posterior.r_hat()[self._place])

    @property
    def chain_mean(self) -> xr.DataArray:
        """The mean of each chain's draws."""
        return self._each([_mean_of(chain.total)[self._place] for chain in self._posterior.chains])

    @property
    def chain_sd(self) -> xr.DataArray:
        """The standard deviation of each chain's draws."""
        return self._each([np.sqrt(chain.total.variance)[self._place] for chain in self._posterior.chains])

    def quantile(self, q: ArrayLike) -> xr.DataArray:
        """Quantiles of the draws, along a dim ``quantile`` before the others unless `q` is a number.

        Each lies between the draws' quantiles at q ± ``attrs["error"]``, which is 0 while there are few draws.
        Raises `StoreError` if the posterior was made without.
        """
        with self._posterior.lock:
            found = self._quantiles([chain.sketch for chain in self._posterior.counted()], q)
        return self._with_quantiles(found[0], found[1], q, {})

    def chain_quantile(self, q: ArrayLike) -> xr.DataArray:
        """`quantile` of each chain's draws."""
        with self._posterior.lock:
            parts = [self._quantiles([chain.sketch], q) for chain in self._posterior.chains]
        error = max(part[1] for part in parts)
        chains = {"chain": np.arange(len(parts))}
        return self._with_quantiles(np.stack([part[0] for part in parts], axis=1), error, q, chains)

    def _quantiles(self, sketches: Sequence[Sketch | None], q: ArrayLike) -> tuple[FloatArray, float]:
        held = [sketch for sketch in sketches if sketch is not None]
        if not self._posterior.detail.items:
            raise StoreError("this live posterior keeps no quantiles.", remedy="Make it with a Detail that has items.")
        wanted = np.atleast_1d(np.asarray(q, dtype=np.float64))
        if not ((wanted >= 0) & (wanted <= 1)).all():
            raise StoreError(f"quantiles are asked for at {q!r}.", remedy="Probabilities lie from 0 to 1.")
        if not held:
            return np.full((len(wanted), self._variable.scalars), np.nan), 0.0
        found = quantiles(held, wanted, self._place)
        return found.values, found.error

    def _with_quantiles(
        self, values: FloatArray, error: float, q: ArrayLike, leading: Mapping[str, ArrayLike]
    ) -> xr.DataArray:
        places = np.atleast_1d(np.asarray(q, dtype=np.float64))
        found = self._posterior.labelled(self._variable, values, {"quantile": places} | dict(leading))
        found = found if np.ndim(q) else found.isel(quantile=0)
        return found.assign_attrs(error=error)

    def _total(self) -> Moments:
        with self._posterior.lock:
            total = self._posterior.total()
        return Moments(total.draws, total.mean[self._place], total.squares[self._place])

    def _pooled(self, values: FloatArray) -> xr.DataArray:
        return self._posterior.labelled(self._variable, values, {})

    def _each(self, values: Sequence[FloatArray]) -> xr.DataArray:
        return self._posterior.labelled(self._variable, np.stack(values), {"chain": np.arange(len(values))})


def _mean_of(moments: Moments) -> FloatArray:
    return moments.mean if moments.draws else np.full(moments.mean.shape, np.nan)
