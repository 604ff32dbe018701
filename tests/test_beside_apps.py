"""What is open with a caller in the apps that the addon knows and does not need: invoices,
quotations, deliveries and tasks, each of the app's own model. `make test-install` runs them all; where
an app is not there its test is left out.
"""

from datetime import timedelta

from odoo import Command, fields

from .test_call_card import CardCase


class TestBesideApps(CardCase):
    def setUp(self):
        super().setUp()
        self.play(self.event('ringing', extension='101'))
        self.customer = self.env['res.partner'].create({'name': "Romashka", 'is_company': True})
        self.partner.parent_id = self.customer

    def beside(self, model, *groups):
        """Leave the test out where the app of this model is not there; else Anna may read it."""
        if model not in self.env:
            self.skipTest(f"the app of {model} is not installed")
        for group in groups:
            self.anna.group_ids |= self.env.ref(group)
        return self.env[model]

    def reasons(self):
        return [reason['text'] for reason in self.card()['reasons']]

    def product(self):
        return self.env['product.product'].create({'name': "Flour", 'list_price': 100.0})

    def test_overdue_invoices(self):
        moves = self.beside('account.move', 'account.group_account_readonly')
        if not self.env['account.journal'].search_count([('type', '=', 'sale')]):
            self.env['account.chart.template'].try_loading('generic_coa', self.company, False)
        today = fields.Date.context_today(self.partner)

        def invoice(days, move_type='out_invoice'):
            move = moves.create(
                {
                    'move_type': move_type,
                    'partner_id': self.customer.id,
                    'invoice_date': today - timedelta(days=days + 10),
                    'invoice_date_due': today - timedelta(days=days),
                    'invoice_payment_term_id': False,
                    'invoice_line_ids': [
                        Command.create(
                            {'name': "Flour", 'quantity': 1, 'price_unit': 150, 'tax_ids': []}
                        )
                    ],
                }
            )
            move.action_post()
            return move

        invoice(-1)
        invoice(5, 'in_invoice')
        self.assertEqual(self.reasons(), [], "none that is due, and none of ours to pay")
        late = invoice(5)
        [text] = self.reasons()
        self.assertIn(f"Invoice {late.name} is overdue by 5 days", text)
        self.assertIn("150", text)
        invoice(40)
        [text] = self.reasons()
        self.assertIn("2 overdue invoices, the oldest by 40 days", text)
        self.assertIn("300", text)

    def test_a_quotation_that_waits(self):
        orders = self.beside('sale.order', 'sales_team.group_sale_salesman_all_leads')
        order = orders.create(
            {
                'partner_id': self.customer.id,
                'order_line': [
                    Command.create(
                        {'product_id': self.product().id, 'price_unit': 70, 'tax_ids': []}
                    )
                ],
            }
        )
        self.assertEqual(self.reasons(), [], "a draft was not sent to anybody")
        order.state = 'sent'
        [text] = self.reasons()
        self.assertIn(f"Quotation {order.name}, sent today", text)
        self.assertIn("70", text)

    def test_a_delivery_that_is_late(self):
        pickings = self.beside('stock.picking', 'stock.group_stock_user')
        outgoing = self.env['stock.picking.type'].search(
            [('code', '=', 'outgoing'), ('company_id', '=', self.company.id)], limit=1
        )
        product = self.product()
        picking = pickings.create(
            {
                'partner_id': self.customer.id,
                'picking_type_id': outgoing.id,
                'location_id': outgoing.default_location_src_id.id,
                'location_dest_id': self.env.ref('stock.stock_location_customers').id,
                'move_ids': [
                    Command.create(
                        {
                            'product_id': product.id,
                            'product_uom_qty': 1,
                            'location_id': outgoing.default_location_src_id.id,
                            'location_dest_id': self.env.ref('stock.stock_location_customers').id,
                        }
                    )
                ],
            }
        )
        picking.scheduled_date = fields.Datetime.now() - timedelta(days=2)
        self.assertEqual(self.reasons(), [], "a draft is promised to nobody")
        picking.action_confirm()
        self.assertEqual(self.reasons(), [f"Delivery {picking.name} was due 2 days ago"])

    def test_an_open_task(self):
        tasks = self.beside('project.task', 'project.group_project_manager')
        stage = self.env['project.task.type'].create({'name': "Doing"})
        project = self.env['project.project'].create(
            {'name': "Complaints", 'type_ids': [Command.link(stage.id)]}
        )
        task = tasks.create(
            {
                'name': "Wet flour",
                'project_id': project.id,
                'partner_id': self.customer.id,
                'stage_id': stage.id,
            }
        )
        self.assertEqual(self.reasons(), ["Open: Wet flour (Doing)"])
        task.state = '1_done'
        self.assertEqual(self.reasons(), [])

    def test_what_may_not_be_read_is_not_told(self):
        """The reader's rights in each app decide."""
        tasks = self.beside('project.task', 'project.group_project_user')
        project = self.env['project.project'].create(
            {'name': "Complaints", 'privacy_visibility': 'followers'}
        )
        tasks.create(
            {'name': "Wet flour", 'project_id': project.id, 'partner_id': self.customer.id}
        )
        self.assertEqual(self.reasons(), [])
        project.privacy_visibility = 'employees'
        self.assertEqual(self.reasons(), ["Open: Wet flour"])
