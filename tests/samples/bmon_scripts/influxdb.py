"""Sends what BMON has stored to a server elsewhere: it reads BMON's own tables."""

import requests
from bmsapp.models import Sensor
from bmsapp.readingdb import bmsdata


def run(url='', last_rec={}, **kwargs):
    db = bmsdata.BMSdata()
    for sensor in Sensor.objects.all():
        for row in db.rowsForOneID(sensor.sensor_id, start_tm=last_rec.get((sensor.pk, 1))):
            requests.post(url, data='%s value=%s %s' % (sensor.sensor_id, row['val'], row['ts']))
            last_rec[(sensor.pk, 1)] = row['ts']
    return {'hidden': {'last_rec': last_rec}}
