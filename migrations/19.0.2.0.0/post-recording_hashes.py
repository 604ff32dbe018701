from odoo import SUPERUSER_ID, api

BATCH = 10000


def migrate(cr, version):
    """Make the fingerprints by which recordings are recognised."""
    env = api.Environment(cr, SUPERUSER_ID, {})
    Recording = env['telephony.recording']
    last = 0
    while True:
        cr.execute(
            "SELECT id, ref, url FROM telephony_recording WHERE id > %s ORDER BY id LIMIT %s",
            (last, BATCH),
        )
        if not (rows := cr.fetchall()):
            return
        last = rows[-1][0]
        hashes = [Recording._hashes({'ref': ref, 'url': url}) for _id, ref, url in rows]
        cr.execute(
            """ UPDATE telephony_recording AS recording
                   SET ref_hash = new.ref_hash, url_hash = new.url_hash
                  FROM unnest(%s::int[], %s::varchar[], %s::varchar[]) AS new(id, ref_hash, url_hash)
                 WHERE recording.id = new.id """,
            (
                [row[0] for row in rows],
                [its.get('ref_hash') for its in hashes],
                [its.get('url_hash') for its in hashes],
            ),
        )
