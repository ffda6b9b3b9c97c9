"""What work cost: energy, time, memory and carbon, exactly where that is possible and honestly where it is not.

    from etude.meter import measure, discover

    sampler = discover().sampler()
    with measure(sampler) as m:
        with m.window("prefill"):
            ...
    print(m.cost().covered)

Here is what it takes to measure; each further idea is in the file named for it: `accounting.carbon`,
`requests`, `baseline`, `latency`, `command`, `sources.simulated`. docs/measuring.md says what each number means, how it
is got and what is not in it.
"""

from etude.meter.discovery import Discovery as Discovery
from etude.meter.discovery import discover as discover
from etude.meter.discovery import doctor as doctor
from etude.meter.measure import Measurement as Measurement
from etude.meter.measure import measure as measure
from etude.meter.sampling.sampler import Sampler as Sampler
from etude.meter.sources.meter import Meter as Meter
from etude.meter.sources.meter import Traits as Traits
from etude.meter.sources.quantity import Quality as Quality
from etude.meter.sources.quantity import Quantity as Quantity
