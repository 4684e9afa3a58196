"""Thermostats: a key from the settings, tokens that change with every use and are kept hidden."""

import requests
from django.conf import settings


def run(url='', access_token='', refresh_token='', **kwargs):
    hidden = {'access_token': access_token, 'refresh_token': refresh_token}
    results = {'hidden': hidden, 'delete_params': ['access_token', 'refresh_token']}
    try:
        api_key = settings.BMSAPP_ECOBEE_API_KEY
        res = requests.post(
            url + '/token',
            params={'grant_type': 'refresh_token', 'code': refresh_token, 'client_id': api_key},
        )
        if res.status_code != requests.codes.ok:
            raise ValueError('no tokens for %s: %s' % (refresh_token, res.text))
        hidden.update({k: res.json()[k] for k in ('access_token', 'refresh_token')})
        found = requests.get(
            url + '/thermostat', headers={'Authorization': 'Bearer ' + hidden['access_token']}
        ).json()
        results['readings'] = [
            (None, '%s_%s' % (tid, name), val)
            for tid, vals in found.items()
            for name, val in vals.items()
        ]
    except Exception as e:
        results['script_error'] = str(e)
    finally:
        return results
