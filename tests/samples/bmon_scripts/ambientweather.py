"""Weather stations: the newest observation of each, as a script for BMON would read it."""

import requests


def run(application_key, api_key, url='', sensor_prefix='wx', **kwargs):
    stations = requests.get(
        url + '/v1/devices',
        params={'applicationKey': application_key, 'apiKey': api_key},
    ).json()
    reads = []
    for st in stations:
        last = st['lastData']
        ts = last['dateutc'] / 1000
        for fld, val in last.items():
            if fld not in ('dateutc', 'date', 'tz'):
                reads.append([ts, '%s_%s_%s' % (sensor_prefix, st['macAddress'][-2:], fld), val])
    return {'readings': reads}
