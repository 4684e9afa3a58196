"""An older pellet boiler: one CSV file for each day; its values come out of pandas."""

import io
import traceback
from datetime import date, datetime, timedelta

import pandas as pd
import pytz
import requests


def run(url='', site_id='', tz_data='US/Alaska', last_date_loaded='2016-01-01', until=None, **kwargs):
    errors, reads = '', []
    tz = pytz.timezone(tz_data)
    if type(last_date_loaded) == date:
        day = last_date_loaded
    else:
        day = datetime.strptime(last_date_loaded, '%Y-%m-%d').date()
    done = day
    try:
        while day <= until:
            try:
                resp = requests.get(url + day.strftime('/logfiles/%Y%m%d.csv'), timeout=15)
                resp.raise_for_status()
                df = pd.read_csv(io.StringIO(resp.text), sep=';', decimal=',')
                for ix, row in df.iterrows():
                    naive = datetime.strptime(row['Datum'] + ' ' + row['Zeit'], '%d.%m.%Y %H:%M:%S')
                    ts = tz.localize(naive).timestamp()
                    reads.append((ts, site_id + '_water_temp', df['T'].values[ix] * 1.8 + 32))
                done = day
            except Exception as e:
                errors += 'Error loading %s: %s; ' % (day, e)
            day += timedelta(days=1)
    except:
        errors += traceback.format_exc()
    finally:
        return {
            'readings': reads,
            'last_date_loaded': done.strftime('%Y-%m-%d'),
            'script_errors': errors,
        }
