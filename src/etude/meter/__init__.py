"""What work cost: energy, time, memory and carbon, exactly where that is possible and honestly where it is not.

    from etude.meter import measure, survey

    watch = survey().watch()
    with measure(watch) as m:
        with m.window("prefill"):
            ...
    print(m.cost().covered)

Here is what it takes to measure; each further idea is in the file named for it: `carbon`, `requests`, `ranks`,
`baseline`, `latency`, `command`, `simulated`. docs/measuring.md says what each number means, how it is got and what is
not in it.
"""

from etude.meter.measure import Measurement as Measurement
from etude.meter.measure import measure as measure
from etude.meter.meter import Meter as Meter
from etude.meter.meter import Traits as Traits
from etude.meter.quantity import Quality as Quality
from etude.meter.quantity import Quantity as Quantity
from etude.meter.survey import Survey as Survey
from etude.meter.survey import doctor as doctor
from etude.meter.survey import survey as survey
from etude.meter.watch import Watch as Watch
