"""Registers of a device, combined and transformed by formulas that the operator writes."""

import time
import traceback
from math import *

import modbus_tk.defines as cst
import pandas as pd
from modbus_tk import modbus_tcp


def run(site_id='', host='', device_id=1, sensors=[], **kwargs):
    errors, reads, ts = '', [], time.time()
    try:
        df = pd.DataFrame(data=sorted(sensors), columns=['port', 'address', 'name', 'transform'])
        for port, dfg in df.groupby('port'):
            addresses = []
            for it in dfg.address.values:
                addresses += it if type(it) == list else [it]
            first, count = min(addresses), max(addresses) - min(addresses) + 1
            master = modbus_tcp.TcpMaster(host=host, port=int(port), timeout_in_sec=5.0)
            res = master.execute(device_id, cst.READ_HOLDING_REGISTERS, first, count)
            master.close()
            for ix, row in dfg.iterrows():
                try:
                    val = 0
                    for ad in row['address'] if type(row['address']) == list else [row['address']]:
                        val = val * 2**16 + res[ad - first]
                    if row['transform']:
                        val = eval(row['transform'])
                    reads.append((ts, '%s_%s' % (site_id, row['name']), val))
                except Exception as e:
                    errors += '\nError processing %s: %s' % (row['name'], e)
    except:
        errors += '\n' + traceback.format_exc()
    return {'readings': reads, 'script_errors': errors}
