from odoo.addons.crm_telephony.providers import registry


def migrate(cr, version):
    """Leave recordings where they were: a PBX that is connected already copies nothing before its
    administrator says so. Those whose recordings only the bridge can bring had none to play so
    far."""
    bridged = [code for code, adapter in registry.items() if adapter.uploads_recordings]
    cr.execute(
        "UPDATE telephony_account SET recording_storage = 'link' WHERE provider != ALL(%s)",
        (bridged,),
    )
