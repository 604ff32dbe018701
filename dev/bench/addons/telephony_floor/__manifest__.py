{
    'name': "CRM Telephony: floor of the bench",
    'version': '19.0.1.0.0',
    'summary': "The least that a webhook of Odoo can cost. Only for dev/bench, never for a database that matters",
    'author': "The crm_telephony founders",
    'license': 'LGPL-3',
    'depends': ['crm_telephony'],
    'data': ['security/ir.model.access.csv'],
    'installable': True,
}
