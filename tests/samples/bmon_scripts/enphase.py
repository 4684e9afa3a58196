"""Solar systems: a position for each, and a first date that is dropped once it has served."""

import traceback

import dateutil
import pandas as pd
import pytz
import requests


def run(api_key, systems, url='', first_date=None, first_date_tz='America/Anchorage', last_ts=None, **kwargs):
    try:
        if last_ts is None:
            last_ts = {}
        reads = []
        for one in systems:
            key = f"{one['user_id']}_{one['system_id']}"
            if key in last_ts:
                start_at = last_ts[key]
            else:
                # nothing here imports dateutil.parser: pandas has
                start = dateutil.parser.parse(str(first_date))
                start_at = int(pytz.timezone(first_date_tz).localize(start).timestamp())
            res = requests.get(
                url + '/systems/%s/stats' % one['system_id'],
                params={'key': api_key, 'user_id': one['user_id'], 'start_at': start_at},
            ).json()
            recs = [(r['end_at'], r['powr']) for r in res['intervals']]
            df = pd.DataFrame(recs, columns=['ts', 'val']).set_index('ts')
            df = df.reindex(pd.RangeIndex(start_at + 300, df.index[-1] + 1, 300)).fillna(0.0)
            reads += zip(df.index.values, ['enph_' + key] * len(df), df.val.values)
            last_ts[key] = df.index.values[-1]
    except:
        return {'last_ts': last_ts, 'script_error': traceback.format_exc()}
    return {
        'readings': reads,
        'last_ts': last_ts,
        'delete_params': ['first_date', 'first_date_tz'],
    }
