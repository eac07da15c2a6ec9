"""StoreSuite: what every store must do, as tests.

Whoever writes a store runs it:

class TestRedisStore(StoreSuite):
    @pytest.fixture
    def make_store(self, clock):
        url = fresh_url()
        return lambda: RedisStore(url, clock=clock)
"""

from __future__ import annotations

from greenroom.testing._adding import Adding
from greenroom.testing._claiming import Claiming
from greenroom.testing._hearing import Hearing
from greenroom.testing._leasing import Leasing
from greenroom.testing._looking import Looking
from greenroom.testing._opening import Opening
from greenroom.testing._suspecting import Suspecting
from greenroom.testing._swapping import Swapping
from greenroom.testing._ticking import Ticking


class StoreSuite(Opening, Adding, Claiming, Swapping, Leasing, Suspecting, Hearing, Looking, Ticking):
    """Judges a store by its behaviour. A subclass gives the fixture `make_store`."""
