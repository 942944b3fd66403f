"""Slices: shared fairly by those who live, a dead one's taken over."""

from projections.slices import SLICES, Slices
from service.database import Pool


async def shares(*followers: Slices) -> list[set[int]]:
    """Who holds what once each has renewed often enough to hear of the others."""
    held: list[set[int]] = []
    for _ in range(3):
        held = [await one.renew() for one in followers]
    return held


async def test_one_alone_follows_everything(pool: Pool) -> None:
    """Nobody else lives: all slices are one's own."""
    assert await shares(Slices(pool, "one", SLICES)) == [set(range(SLICES))]


async def test_slices_are_split_fairly_and_completely(pool: Pool) -> None:
    """Those who come later get their share; no slice has two owners or none, and nobody more than his share."""
    one, two, three = (Slices(pool, name, SLICES) for name in ("one", "two", "three"))
    await shares(one)
    held = await shares(one, two, three)
    assert sorted(number for one_has in held for number in one_has) == list(range(SLICES))
    share = -(-SLICES // 3)
    assert max(len(one_has) for one_has in held) <= share
    await pool.execute("DELETE FROM okno.leases WHERE name LIKE 'slice/%'")
    assert len(await one.renew()) == share


async def test_a_dead_ones_slices_are_taken_over(pool: Pool) -> None:
    """Leases that ran out are free, and their owner no longer counts."""
    one, two = Slices(pool, "one", SLICES), Slices(pool, "two", SLICES)
    held = await shares(one, two)
    assert [len(share) for share in held] == [SLICES / 2] * 2
    await pool.execute("UPDATE okno.leases SET leased_until = now() - interval '1 s' WHERE owner = 'two'")
    assert await one.renew() == set(range(SLICES))


async def test_who_comes_back_late_takes_nothing_from_the_heir(pool: Pool) -> None:
    """One whose leases ran out and were taken gets its share again only as the heir gives it back."""
    one, two = Slices(pool, "one", SLICES), Slices(pool, "two", SLICES)
    await shares(one, two)
    await pool.execute("UPDATE okno.leases SET leased_until = now() - interval '1 s' WHERE owner = 'two'")
    await one.renew()
    assert await two.renew() == set()
    held = await shares(one, two)
    assert sorted(number for share in held for number in share) == list(range(SLICES))
    assert [len(share) for share in held] == [SLICES / 2] * 2


async def test_who_leaves_need_not_be_waited_for(pool: Pool) -> None:
    """Slices given back are taken at the next renewal."""
    one, two = Slices(pool, "one", SLICES), Slices(pool, "two", SLICES)
    await shares(one, two)
    await two.leave()
    assert await one.renew() == set(range(SLICES))
