import json

from markupsafe import Markup, escape

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import SQL

from ...speech.fold_text import BadQuery, is_heard, marked, read_query
from ...tools import turns
from ..core.words_field import told
from .transcript import PATIENCE

# Texts that have what is looked for are listed one by one up to so many; if PostgreSQL expects more, or
# there are more, the texts are read from the latest on instead.
MOST_LISTED = 5000
MOST_EXPECTED = 60_000
# What was looked for, in the context of a list: by field, with whose words it looks through.
FIELDS = {'said': '', 'said_by_us': 'ours', 'said_by_them': 'theirs'}


class TelephonyTranscript(models.Model):
    """Finds what was said, in Russian and Kazakh at once, and by whom.

    PostgreSQL knows how common a word is, but not what it costs to read a stored vector, and so takes
    the wrong way by itself: rare words are looked up in the index here, common ones are met soon enough
    when the texts are read from the latest on.
    """

    _inherit = 'telephony.transcript'

    said = fields.Char(string="What Was Said", compute='_compute_said', search='_search_said')
    said_by_us = fields.Char(
        string="Said by Us", compute='_compute_said', search='_search_said_by_us'
    )
    said_by_them = fields.Char(
        string="Said by the Customer", compute='_compute_said', search='_search_said_by_them'
    )
    snippet = fields.Html(
        compute='_compute_snippet', sanitize=False, string="Said", exportable=False
    )
    said_at = fields.Float(compute='_compute_snippet', string="At", exportable=False)

    def init(self):
        """Make the column and the index by which texts are found: PostgreSQL keeps them up to date."""
        self.env.cr.execute(
            """
            ALTER TABLE telephony_transcript ADD COLUMN IF NOT EXISTS search_vector tsvector GENERATED ALWAYS AS (
                setweight(to_tsvector('pg_catalog.russian', COALESCE(text_ours, '')), 'A') ||
                setweight(to_tsvector('pg_catalog.russian', COALESCE(text_theirs, '')), 'B') ||
                setweight(to_tsvector('pg_catalog.russian', COALESCE(text_other, '')), 'D')
            ) STORED;
            CREATE INDEX IF NOT EXISTS telephony_transcript_search_idx ON telephony_transcript USING gin (search_vector);
            """
        )

    def _compute_said(self):
        """Nothing: these fields are for searching."""
        self.said = self.said_by_us = self.said_by_them = False

    # === SEARCH === #

    def _search_said(self, operator, value):
        return self._searched(operator, value, '')

    def _search_said_by_us(self, operator, value):
        return self._searched(operator, value, 'ours')

    def _search_said_by_them(self, operator, value):
        return self._searched(operator, value, 'theirs')

    def _searched(self, operator, value, who):
        """Return which texts have what is looked for, as a domain. Who may read them is none of its
        concern: the rules of the model join it.

        :raise UserError: nothing can be looked for
        """
        if operator == 'in':
            return Domain.OR(self._having(text, who) for text in value if isinstance(text, str))
        if operator not in ('ilike', '=') or not isinstance(value, str):
            return NotImplemented
        return self._having(value, who)

    def _having(self, text, who):
        try:
            query = read_query(text, who)
        except BadQuery as error:
            raise UserError(told(self.env, error.words)) from None
        tsquery = SQL("to_tsquery('pg_catalog.russian', %s)", query.tsquery)
        [(nodes,)] = self.env.execute_query(SQL("SELECT numnode(%s)", tsquery))
        if not nodes:
            raise UserError(
                self.env._(
                    "“%(text)s” has only words that stand in every talk. Add another word.",
                    text=text,
                )
            )
        ids = self._listed(tsquery)
        if ids is not None:
            return Domain('id', 'in', ids)
        return Domain.custom(
            to_sql=lambda model, alias, _query: SQL(
                "%s @@ %s", SQL.identifier(alias, 'search_vector'), tsquery
            )
        )

    def _listed(self, tsquery):
        """Return the ids of the texts that have what is looked for, None if they are too many to be listed."""
        self.flush_model()
        which = SQL("FROM telephony_transcript WHERE search_vector @@ %s", tsquery)
        [(plan,)] = self.env.execute_query(SQL("EXPLAIN (FORMAT json) SELECT 1 %s", which))
        plan = json.loads(plan) if isinstance(plan, str) else plan
        if plan[0]['Plan']['Plan Rows'] > MOST_EXPECTED:
            return None
        by_index = {'enable_seqscan': 'off', 'enable_indexscan': 'off', 'work_mem': '32MB'}
        try:
            with turns.in_time(self.env.cr, PATIENCE, **by_index):
                rows = self.env.execute_query(SQL("SELECT id %s LIMIT %s", which, MOST_LISTED + 1))
        except turns.TooLong:
            return None
        return [row[0] for row in rows] if len(rows) <= MOST_LISTED else None

    # === THE LINE === #

    def _looked_for(self):
        """Return what a list looks for, as its context says: a list of folded words and whose words they
        are ('' for any)."""
        found = []
        for name, who in FIELDS.items():
            texts = self.env.context.get(f'telephony_{name}') or []
            for text in [texts] if isinstance(texts, str) else texts:
                try:
                    found.append((read_query(str(text)).wanted, who))
                except BadQuery:
                    continue
        return found

    @api.depends_context('telephony_said', 'telephony_said_by_us', 'telephony_said_by_them')
    def _compute_snippet(self):
        """Set the line that has most of what is looked for, with it marked, and its second. Without a
        search it is the first line."""
        looked_for = self._looked_for()
        wanted = tuple(word for words, _who in looked_for for word in words)
        for transcript in self:
            lines = transcript.sudo().lines or []
            best = max(lines, key=lambda line: transcript._hits(line, looked_for), default=None)
            transcript.said_at = best[0] if best else 0
            transcript.snippet = best and Markup().join(
                Markup("<mark>%s</mark>") % part if is_wanted else escape(part)
                for part, is_wanted in marked(best[3], wanted)
            )

    def _hits(self, line, looked_for):
        side = self._side_of(line[2])
        return sum(is_heard(line[3], words) for words, who in looked_for if who in ('', side))

    def action_open(self):
        """Open the text at the line that is shown."""
        self.ensure_one()
        return {
            'type': 'ir.actions.act_window',
            'res_model': self._name,
            'res_id': self.id,
            'views': [(False, 'form')],
            'context': {'telephony_begin': self.said_at},
        }
