"""A newer pellet boiler: date and time in two columns, which pandas 2 still joins by itself."""

import calendar
import io

import pandas as pd
import pytz
import requests


def run(url='', site_id='', tz_data='US/Alaska', last_ts_loaded=0, days=(), **kwargs):
    tz = pytz.timezone(tz_data)
    reads, ids = [], []
    for day in days:
        text = requests.get(url + day.strftime('/touch_%Y%m%d.csv'), timeout=15).text
        df = pd.read_csv(
            io.StringIO(text), sep=';', decimal=',', dayfirst=True,
            parse_dates=[['Datum ', 'Zeit ']], index_col=False,
        )
        df.columns = ['datetime', 'boiler_temp', 'boiler_status']
        tstamps = [calendar.timegm(tz.localize(dt).utctimetuple()) for dt in df['datetime']]
        for col in ('boiler_temp', 'boiler_status'):
            ids.append('%s_%s' % (site_id, col))
            new = zip(tstamps, [ids[-1]] * len(tstamps), df[col].values)
            reads += [rd for rd in new if rd[0] > last_ts_loaded]
        last_ts_loaded = max(last_ts_loaded, tstamps[-1])
    return {
        'readings': reads,
        'reading_count': len(reads),
        'last_ts_loaded': last_ts_loaded,
        'sensor_ids': ', '.join(ids),
        'script_errors': '',
    }
