"""Databases with many contacts and deals. Filled once by SQL, kept, and updated when the addon's
code has changed."""

import hashlib
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from ..setup import paths, workplace
from ..setup.console import phase
from ..setup.database import Databases, code_hash
from ..setup.odoo import Odoo
from . import inside
from .load import NETWORKS

FLOOR_ADDONS = Path(__file__).parent / 'addons'
FLOOR = 'telephony_floor'
LEADS_PER_CONTACT = 0.3

# The n-th number of Kazakhstan's mobile networks, then how people type it.
E164 = f"""'+77' || (ARRAY{list(NETWORKS)})[1 + ({{n}} % 12)::int]
          || lpad((({{n}}::bigint * 48271) % 10000000)::text, 7, '0')"""
TYPED = r"""regexp_replace(e164, '\+7(...)(...)(..)(..)', (ARRAY[
    '+7\1\2\3\4', '+7 \1 \2-\3-\4', '8 (\1) \2-\3-\4', '8\1\2\3\4', '+7 (\1) \2\3\4', '\1 \2 \3\4'])[1 + i % 6])"""

# One contact in fifty shares its number with the one before: a couple, a colleague.
CONTACTS = f"""
    INSERT INTO res_partner (name, complete_name, ref, phone, phone_sanitized, active, type, is_company, country_id,
                             create_uid, write_uid, create_date, write_date)
    SELECT 'Contact ' || i, 'Contact ' || i, 'bench-' || i, {TYPED}, e164, true, 'contact', i % 10 = 0,
           (SELECT id FROM res_country WHERE code = 'KZ'), 1, 1, now(), now()
      FROM (SELECT i, {E164.format(n='(CASE WHEN i % 50 = 0 THEN i - 1 ELSE i END)')} AS e164
              FROM generate_series(1, %(contacts)s) AS i) AS numbers;
    UPDATE res_partner SET commercial_partner_id = id WHERE commercial_partner_id IS NULL
"""
# Half of the deals belong to contacts, half to callers whom nobody has filed yet; most are open.
LEADS = f"""
    INSERT INTO crm_lead (name, type, active, won_status, phone, phone_sanitized, partner_id, user_id, stage_id,
                          priority, probability, automated_probability, create_uid, write_uid, create_date, write_date)
    SELECT 'Deal ' || i, CASE i % 3 WHEN 0 THEN 'lead' ELSE 'opportunity' END, i % 20 <> 0,
           CASE WHEN i % 20 = 0 THEN 'lost' WHEN i % 7 = 0 THEN 'won' ELSE 'pending' END,
           {TYPED}, e164, partner_id, 2, (SELECT min(id) FROM crm_stage), '1', 10, 10, 1, 1, now(), now()
      FROM (SELECT i, partner.id AS partner_id,
                   COALESCE(partner.phone_sanitized, {E164.format(n='(5000000 + i)')}) AS e164
              FROM generate_series(1, %(leads)s) AS i
              LEFT JOIN res_partner AS partner
                ON i % 2 = 0 AND partner.ref = 'bench-' || (1 + (i * 3) % %(contacts)s)) AS numbers
"""
# Each contact has a further number, as of an assistant. One contact in a hundred has three more
# deals, each with a mail of last week and an activity: callers for whom the reasons have to be
# weighed.
FURTHER = f"""
    INSERT INTO telephony_contact_number (partner_id, number, origin, create_uid, write_uid, create_date, write_date)
    SELECT id, {E164.format(n='(10000000 + substr(ref, 7)::int)')}, 'typed', 1, 1, now(), now()
      FROM res_partner WHERE ref LIKE 'bench-%'
"""
SEVERAL = """
    WITH deals AS (
        INSERT INTO crm_lead (name, type, active, won_status, phone, phone_sanitized, partner_id, user_id, stage_id,
                              priority, probability, automated_probability, create_uid, write_uid, create_date, write_date)
        SELECT 'Several ' || i, 'opportunity', true, 'pending', phone, phone_sanitized, partner.id, 2,
               (SELECT min(id) FROM crm_stage), '1', 10 * i, 10, 1, 1, now(), now()
          FROM res_partner AS partner CROSS JOIN generate_series(1, 3) AS i
         WHERE ref LIKE 'bench-%25'
     RETURNING id
    ), mails AS (
        INSERT INTO mail_message (model, res_id, message_type, date, create_uid, write_uid, create_date, write_date)
        SELECT 'crm.lead', id, 'email', now() at time zone 'UTC' - interval '6 days', 1, 1, now(), now() FROM deals
    )
    INSERT INTO mail_activity (res_model_id, res_model, res_id, user_id, activity_type_id, date_deadline, active,
                               create_uid, write_uid, create_date, write_date)
    SELECT (SELECT id FROM ir_model WHERE model = 'crm.lead'), 'crm.lead', id, 2, (SELECT min(id) FROM mail_activity_type),
           current_date, true, 1, 1, now(), now()
      FROM deals
"""
# A call of last week on each of those deals, and on as many others of somebody else's.
CALLS = """
    INSERT INTO telephony_call (account_id, company_id, external_id, direction, state, outcome, is_reached, match_state,
                                lead_id, customer_number, start_at, ended_at, create_uid, write_uid, create_date, write_date)
    SELECT account.id, account.company_id, 'lookup-' || lead.id, 'outbound', 'ended', 'answered', true, 'auto', lead.id,
           phone_sanitized, now() at time zone 'UTC' - interval '6 days', now() at time zone 'UTC' - interval '6 days',
           1, 1, now(), now()
      FROM crm_lead AS lead, (SELECT id, company_id FROM telephony_account WHERE name = 'Bench' LIMIT 1) AS account
     WHERE lead.name LIKE 'Several %' OR lead.id % 20 = 0
        ON CONFLICT DO NOTHING
"""
# Past calls of the contacts, a part of them of one who has several deals.
PAST_OF_OFTEN = 2_000
OFTEN_CONTACT = 25
OFTEN = f'+77{NETWORKS[OFTEN_CONTACT % 12]}{OFTEN_CONTACT * 48271 % 10**7:07}'
PAST = f"""
    INSERT INTO telephony_call (account_id, company_id, external_id, direction, state, outcome, is_reached, match_state,
                                partner_id, lead_id, customer_number, user_id, start_at, ended_at, talk_seconds, create_uid,
                                write_uid, create_date, write_date)
    SELECT account.id, account.company_id, 'past-' || i, 'inbound', 'ended', 'answered', true, 'auto', partner.id,
           CASE WHEN often THEN (SELECT min(id) FROM crm_lead WHERE partner_id = partner.id AND name LIKE 'Several %%') END,
           partner.phone_sanitized, 2, at, at + interval '1 minute', 60, 1, 1, now(), now()
      FROM (SELECT i, i <= {PAST_OF_OFTEN} AS often, CASE WHEN i <= {PAST_OF_OFTEN} THEN {OFTEN_CONTACT} ELSE i END AS contact,
                   now() at time zone 'UTC' - i * interval '5 minutes' AS at
              FROM generate_series(1, %(calls)s) AS i) AS past
      JOIN res_partner AS partner ON partner.ref = 'bench-' || contact,
           (SELECT id, company_id FROM telephony_account WHERE name = 'Bench' LIMIT 1) AS account
        ON CONFLICT DO NOTHING
"""


def forget_calls(cursor) -> None:
    """Take out every call and what hangs on it. TRUNCATE would take the deals too: they name their
    first call."""
    for table in ('telephony_event', 'telephony_callback', 'telephony_call', 'telephony_rebind'):
        cursor.execute(f'DELETE FROM {table}')
        cursor.execute(f'VACUUM ANALYZE {table}')


# Three years of a sales department, office hours in UTC, in the order of time; 18 % of the calls
# are lost, and of those of the last month one in twelve still waits. A PBX's log has internal calls
# too.
LOG = """
    INSERT INTO telephony_call (account_id, company_id, external_id, direction, state, outcome, is_short, is_reached,
                                service_class, is_short_abandon, in_hours, lost_cause, menu_seconds,
                                match_state, partner_id, customer_number, user_id, start_at, ended_at, wait_seconds,
                                talk_seconds, follow_up, create_uid, write_uid, create_date, write_date)
    SELECT account.id, account.company_id, 'log-' || i, direction, 'ended', outcome, outcome = 'answered' AND i %% 20 = 0,
           outcome = 'answered' AND i %% 20 != 0,
           CASE WHEN direction != 'inbound' THEN NULL WHEN outcome = 'busy' THEN 'blocked' ELSE 'offered' END,
           direction = 'inbound' AND outcome = 'abandoned' AND i %% 30 = 0, i %% 9 != 0,
           CASE WHEN direction = 'inbound' AND outcome IN ('missed', 'abandoned', 'busy')
                THEN (ARRAY['nobody_free', 'not_picked_up', 'closed', 'lines'])[1 + i %% 4] END, 0,
           'auto', CASE WHEN direction != 'internal' THEN partner.id END,
           CASE WHEN direction != 'internal' THEN partner.phone_sanitized END,
           CASE WHEN outcome = 'answered' OR direction != 'inbound' THEN agents.ids[1 + i %% array_length(agents.ids, 1)] END,
           start_at, start_at + interval '2 minutes', 3 + (i * 31) %% 57,
           CASE WHEN outcome = 'answered' THEN 20 + (i * 37) %% 600 ELSE 0 END, 'done', 1, 1, start_at, start_at
      FROM (SELECT i, CASE WHEN i %% 5 < 3 THEN 'inbound' WHEN i %% 50 = 4 THEN 'internal' ELSE 'outbound' END AS direction,
                   CASE WHEN i %% 100 < 72 OR i %% 5 >= 3 AND i %% 100 < 90 THEN 'answered' WHEN i %% 100 < 84 THEN 'missed'
                        WHEN i %% 100 < 90 THEN 'abandoned' WHEN i %% 100 < 95 THEN 'busy' WHEN i %% 100 < 98 THEN 'failed'
                        ELSE 'voicemail' END AS outcome,
                   date_trunc('day', now() at time zone 'utc') - (1095 * (1 - i::float / %(calls)s)) * interval '1 day'
                   + interval '8 hours' + ((i * 7919) %% 43200) * interval '1 second' AS start_at,
                   -- a caller who is lost is reached the same week, but for one in twelve of the last month
                   1 + ((i / 700) * 997 + (i %% 350) * 13 + CASE WHEN i %% 12 = 0 AND i > %(calls)s - %(calls)s / 36
                                                                 THEN 50000 ELSE 0 END) %% %(contacts)s AS contact
              FROM generate_series(1::bigint, %(calls)s) AS i) AS told
      JOIN res_partner AS partner ON partner.ref = 'bench-' || contact
     CROSS JOIN (SELECT id, company_id FROM telephony_account WHERE name = 'Bench' LIMIT 1) AS account
     CROSS JOIN (SELECT array_agg(id) AS ids FROM res_users WHERE login LIKE 'bench-agent-%%') AS agents
     ORDER BY i
"""


def fill_log(cursor, calls: int, recount: str) -> None:
    """Write the calls without what is checked and kept of each row, and that again afterwards: a
    third of the time.

    :param recount: what filing says of calls beside others, as a statement
    """
    cursor.execute("SELECT count(*) FROM res_partner WHERE ref LIKE 'bench-%'")
    contacts = cursor.fetchone()[0]
    cursor.execute(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'telephony_call'::regclass "
        "AND contype = 'f'"
    )
    keys = cursor.fetchall()
    cursor.execute(
        "SELECT indexname, indexdef FROM pg_indexes "
        "WHERE tablename = 'telephony_call' AND indexname != 'telephony_call_pkey'"
    )
    indexes = cursor.fetchall()
    for key, _definition in keys:
        cursor.execute(f'ALTER TABLE telephony_call DROP CONSTRAINT "{key}"')
    for index, _definition in indexes:
        cursor.execute(f'DROP INDEX "{index}"')
    cursor.execute(LOG, {'calls': calls, 'contacts': contacts})
    cursor.execute('ANALYZE telephony_call')
    cursor.execute(recount)
    cursor.execute('VACUUM FULL telephony_call')  # a log that grew call by call has no such gaps
    for _index, definition in indexes:
        cursor.execute(definition)
    for key, definition in keys:
        cursor.execute(f'ALTER TABLE telephony_call ADD CONSTRAINT "{key}" {definition}')
    cursor.execute('VACUUM ANALYZE telephony_call')
    cursor.execute('VACUUM ANALYZE res_partner')


class Bench:
    """The workplace with the floor's addon beside ours."""

    def __init__(self):
        place = workplace.ensure()
        source = replace(place.odoo.source, addons=(*place.odoo.source.addons, FLOOR_ADDONS))
        self.odoo = Odoo(source, place.odoo.server)
        self.databases = Databases(self.odoo)

    def connect(self, database: str):
        """A closing connection in which each statement is a transaction."""
        connection = self.databases.connect(database)
        connection.autocommit = True
        return closing(connection)

    def database(self, contacts: int) -> str:
        """The name of a database with so many contacts, up to date."""
        name = f'{paths.ADDON}_bench_{contacts // 1000}k'
        if not self.databases.memory(name).get('filled'):
            with phase(f'Filling {name}: {contacts:,} contacts'):
                self.databases.drop(name)
                self.databases.copy(self.databases.template(demo=False), name)
                self.databases.remember(name, filled=False, demo=False)
                self._fill(name, contacts)
            self.databases.remember(name, filled=True)
        self.databases.refresh(name)
        self._wake_crons(name)  # which a run that was killed has left asleep
        if not self.databases.memory(name).get('callers'):
            with phase(f'Filling {name}: further numbers, and callers with several deals'):
                self._fill_callers(name)
            self.databases.remember(name, callers=True)
        self._install_floor(name)
        return name

    @contextmanager
    def only_cron(self, name: str, cron: str):
        """Every scheduled action but this one, told by its XML id without module, stands still
        meanwhile."""
        with self.connect(name) as connection, connection.cursor() as cursor:
            cursor.execute(
                'SELECT array_agg(id) FROM ir_cron WHERE active AND id NOT IN '
                '(SELECT res_id FROM ir_model_data WHERE name = %s)',
                [cron],
            )
            asleep = cursor.fetchone()[0]
            self.databases.remember(name, asleep=asleep)
            cursor.execute('UPDATE ir_cron SET active = FALSE WHERE id = ANY(%s)', [asleep])
        try:
            yield
        finally:
            self._wake_crons(name)

    def _wake_crons(self, name: str) -> None:
        if asleep := self.databases.memory(name).get('asleep'):
            with self.connect(name) as connection, connection.cursor() as cursor:
                cursor.execute('UPDATE ir_cron SET active = TRUE WHERE id = ANY(%s)', [asleep])
            self.databases.remember(name, asleep=None)

    @contextmanager
    def copy(self, name: str, copy: str):
        """A database that is gone afterwards."""
        self.databases.drop(copy)
        self.databases.copy(name, copy)
        try:
            yield
        finally:
            self.databases.drop(copy)

    def _fill(self, name: str, contacts: int) -> None:
        values = {'contacts': contacts, 'leads': int(contacts * LEADS_PER_CONTACT)}
        with self.connect(name) as connection, connection.cursor() as cursor:
            for statement in (
                CONTACTS,
                'CREATE INDEX bench_ref ON res_partner (ref)',
                'ANALYZE res_partner',
                LEADS,
                'VACUUM ANALYZE res_partner',
                'VACUUM ANALYZE crm_lead',
            ):
                cursor.execute(statement.replace('% ', '%% '), values)

    def _fill_callers(self, name: str) -> None:
        with self.connect(name) as connection, connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM telephony_contact_number; DELETE FROM crm_lead WHERE name LIKE 'Several %'"
            )
            cursor.execute(FURTHER)
            cursor.execute(SEVERAL)
            for table in ('telephony_contact_number', 'crm_lead', 'mail_message', 'mail_activity'):
                cursor.execute(f'VACUUM ANALYZE {table}')

    def fill_calls(self, name: str) -> None:
        """Calls of deals, for the account of `inside.account`; deliveries that are measured empty
        the log."""
        with self.connect(name) as connection, connection.cursor() as cursor:
            cursor.execute(CALLS)
            cursor.execute('VACUUM ANALYZE telephony_call')

    @contextmanager
    def past_calls(self, name: str, calls: int):
        """A log of so many more calls meanwhile, for the account of `inside.account`."""
        forget = "DELETE FROM telephony_call WHERE external_id LIKE 'past-%'"
        with self.connect(name) as connection, connection.cursor() as cursor:
            try:
                cursor.execute(forget)
                cursor.execute(PAST, {'calls': calls})
                cursor.execute('VACUUM ANALYZE telephony_call')
                yield
            finally:
                cursor.execute(forget)
                cursor.execute('VACUUM ANALYZE telephony_call')

    def call_log(self, contacts: int, calls: int) -> str:
        """The name of a database with so many calls of three years. Made anew when the addon's code
        has changed: an update would compute what is new in it call by call, a fill does it by
        SQL."""
        name, code = f'{paths.ADDON}_bench_calls_{calls // 1000}k', code_hash()
        if self.databases.memory(name).get('filled') != code:
            small = self.database(contacts)
            inside.ask(self, inside.account, small)
            with phase(f'Filling {name}: {calls:,} calls'):
                self.databases.drop(name)
                self.databases.copy(small, name)
                self.databases.remember(name, demo=False)
                inside.ask(self, inside.agents, name)
                recount = inside.ask(self, inside.recount, name)
                with self.connect(name) as connection, connection.cursor() as cursor:
                    fill_log(cursor, calls, recount)
            self.databases.remember(name, filled=code)
        return name

    def _install_floor(self, name: str) -> None:
        files = sorted(FLOOR_ADDONS.rglob('*.py'))
        code = hashlib.sha256(b''.join(file.read_bytes() for file in files)).hexdigest()
        if self.databases.memory(name).get('floor') != code:
            self.odoo.install(name, FLOOR, update=True)
            self.databases.remember(name, floor=code)
