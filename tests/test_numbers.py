from hypothesis import given
from hypothesis import strategies as st

from odoo.tests import BaseCase, tagged

from odoo.addons.crm_telephony.providers.numbers import clean, normalise, numbers_in, to_e164

from .provider_case import PROPERTY

MOBILE = '+77771234567'
CITY = '+77272507612'


@tagged('post_install', '-at_install', 'crm_telephony')
class TestNumbers(BaseCase):
    def same(self, expected, *spellings, countries=('KZ',)):
        for spelling in spellings:
            for country in countries:
                with self.subTest(ascii(spelling), country=country):
                    self.assertEqual(to_e164(spelling, country), expected)

    # --- the table of the product description ------------------------------------------------------------------------

    def test_mobile(self):
        self.same(
            MOBILE,
            '+7 777 123 45 67',
            '8 777 123 45 67',
            '87771234567',
            '77771234567',
            '7771234567',
            countries=('KZ', 'RU'),
        )

    def test_city(self):
        self.same(
            CITY,
            '8 (727) 250-76-12',
            '+7 (727) 250-76-12',
            '87272507612',
            '77272507612',
            '7272507612',
        )

    def test_russian_number_of_a_kazakh_company(self):
        self.same(
            '+79123456789',
            '+7 912 345-67-89',
            '89123456789',
            '79123456789',
            '9123456789',
            countries=('KZ', 'RU'),
        )

    def test_toll_free(self):
        self.same(
            '+78000807777', '8 800 080 77 77', '88000807777', '+78000807777', countries=('KZ', 'RU')
        )

    def test_short(self):
        """The library would find +7101 and +71414."""
        self.same(
            '',
            '101',
            '1414',
            '102',
            '112',
            '0',
            '9',
            '100204',
            '+7101',
            '+71414',
            '#31#',
            '*100#',
            countries=('KZ', 'RU', '', 'US'),
        )
        for short in ('101', '1414', '100204'):
            self.assertEqual(normalise(short, 'KZ'), short)

    def test_double_zero(self):
        """Not the exit code of Kazakhstan, but PBXs use it."""
        self.same(MOBILE, '00 7 777 123 45 67', '0077771234567', countries=('KZ', 'RU', '', 'DE'))
        self.same('+442079460111', '00442079460111', '00 44 20 7946 0111', '810442079460111')

    def test_hidden_and_sip(self):
        self.same('', 'anonymous', 'sip:anna@pbx.example.com')

    # --- spellings ---------------------------------------------------------------------------------------------------

    def test_spellings_of_the_acceptance_cases(self):
        for e164 in (MOBILE, CITY, '+79261234567'):
            digits, national = e164[1:], e164[2:]
            self.same(
                e164,
                e164,
                digits,
                national,
                '8' + national,
                f'+7 {national[:3]} {national[3:6]} {national[6:8]} {national[8:]}',
                f'8 ({national[:3]}) {national[3:6]}-{national[6:8]}-{national[8:]}',
                f'+7-{national[:3]}-{national[3:6]}-{national[6:]}',
                '00' + digits,
                f'sip:{e164}@sip.example.com',
                f'sip:{digits}@10.0.0.5:5060;user=phone',
            )
            self.same('', f'{digits[:4]}*****{digits[-2:]}')

    def test_codes_of_kazakhstan_and_russia(self):
        """+7 6 and +7 7 are Kazakhstan, +7 9 and +7 4 Russia: one code, no default country
        decides."""
        for number in (
            '+77011112233',
            '+77751112233',
            '+77471112233',
            '+77172112233',
            '+79001112233',
            '+74951112233',
        ):
            self.same(number, number, number[1:], '8' + number[2:], countries=('KZ', 'RU'))
        # reserved for Kazakhstan, not in use: no valid number
        self.same('', '+76001112233', '76001112233')

    def test_abroad(self):
        self.same('+442079460111', '+44 20 7946 0111', '442079460111', '+44 (20) 79460111')
        self.same('+12025550123', '+1 202-555-0123', '12025550123')
        self.same('+375291234567', '375291234567')
        self.same('+998901234567', '998901234567')
        self.same('+996312123456', '+996 312 123456')

    def test_local_number_is_nobody_abroad(self):
        """683-40-02 is a house in Almaty; +683 is Niue."""
        self.same('', '683-40-02', '6834002', '250-76-12', '2507612', '29051234')

    def test_without_country(self):
        self.same(MOBILE, '+7 777 123 45 67', '77771234567', countries=('', 'XX', 'kz'))
        self.same('', '8 777 123 45 67', '87771234567', countries=('', 'XX'))

    def test_punctuation(self):
        self.same(
            MOBILE,
            '+7.777.123.45.67',
            '+7 777 123‑45‑67',
            '+7 777 123–45–67',
            '+7\u00a0777\u00a0123\u00a045\u00a067',
            ' +77771234567\r\n',
            '"+77771234567"',
            "'+77771234567'",
            '<+77771234567>',
            '+7(777)1234567',
            '+7/777/1234567',
        )

    def test_spaces_marks_and_digits_of_unicode(self):
        self.same(
            MOBILE,
            '+7\u202f777\u2009123\u202f45\u300067',
            '\u200e+7 777 123 45 67\u200f',
            '\u061c8 777 123\u00ad45\u200d67',
            '＋７（７７７）１２３－４５－６７',
            '٠٠٧٧٧٧١٢٣٤٥٦٧',
            '８７７７１２３４５６７',
        )
        self.assertEqual(normalise('\u200e１０１\u202f', 'KZ'), '101')

    def test_masked_and_impossible(self):
        self.same(
            '',
            '7777*****67',
            '7777XXXXX67',
            '7777…67',
            '+7777123456',
            '+777712345678',
            '00000000000',
            '11111111',
            '+',
            '++',
            '-',
            '()',
            '1e10',
            '12:34',
            '3.14',
            '٠',
            '9' * 30,
            '9' * 5000,
            '+0',
            '0' * 300,
        )

    # --- wrapping ----------------------------------------------------------------------------------------------------

    def test_sip_addresses(self):
        self.same(
            MOBILE,
            'sip:+77771234567@10.0.0.1',
            'SIP:77771234567@pbx;transport=udp',
            'sips:87771234567@pbx.example.com',
            'sip:+77771234567',
            'tel:+7-777-123-45-67',
            'tel:+77771234567;ext=5',
            '<sip:+77771234567@pbx>;tag=1',
            'sip:+77771234567;phone-context=kz@pbx',
        )
        self.same(
            '',
            'sip:101@pbx',
            'sip:anna@pbx',
            'sip:@pbx',
            'sip:',
            'sip:;;;@',
            'sip:anonymous@anonymous.invalid',
        )
        self.assertEqual(clean('sip:101@pbx.example.com'), '101')
        self.assertEqual(clean('sip:anna.k@pbx.example.com;user=x'), 'anna.k@pbx.example.com')
        self.assertEqual(clean('sip:anonymous@anonymous.invalid'), '')

    def test_names(self):
        self.same(
            MOBILE,
            'Анна <+77771234567>',
            '"Anna K." <87771234567>',
            '"Фирма 2000" <sip:77771234567@pbx>',
            'Anna (77771234567)',
            'Anna <7771234567>',
            '"<b>" <77771234567>',
            '"A" <+7 777 123 45 67>',
            'جواد <+77771234567>',
        )
        self.same(
            '',
            'Anna',
            'Anna <101>',
            '"77771234567"x',
            '+77771234567 Anna',
            'Anna <>',
            '<>',
            '"" <anonymous>',
        )
        self.assertEqual(clean('Anna <101>'), '101')

    def test_hidden(self):
        for hidden in (
            '',
            None,
            ' ',
            'anonymous',
            'Anonymous',
            'UNKNOWN',
            'Unavailable',
            'private',
            'Restricted',
            'withheld',
            'hidden',
            'None',
            'null',
            's',
            '"Anonymous" <anonymous>',
            '<anonymous>',
            'Anonymous <sip:anonymous@anonymous.invalid>',
            'номер скрыт',
            'Номер скрыт',
            'Скрытый номер',
            'скрыт',
            'Неизвестно',
            'АНОНИМ',
            'Номер не определён',
        ):
            with self.subTest(hidden):
                self.assertEqual(clean(hidden), '')
                self.assertEqual(normalise(hidden, 'KZ'), '')

    def test_other_scripts(self):
        # what an address book copies along: marks of writing direction
        self.same(
            MOBILE, '\u202a+7 777 123-45-67\u202c', '\u200e+77771234567\u200f', '\ufeff77771234567'
        )
        # Arabic and full-width digits are digits
        self.same(MOBILE, '+٧٧٧٧١٢٣٤٥٦٧', '+７７７７１２３４５６７')
        self.same(
            '',
            '😀',
            '😀77771234567',
            '\U0001f4de 101',
            'مجهول',
            '\u202emoc',
            '\0',
            '\ud800',
            '7777123\x00567',
        )
        self.assertEqual(normalise('😀', 'KZ'), '😀')

    def test_what_cannot_be_parsed_is_kept(self):
        for text in ('101', 'anna@pbx', '7777*****67', 'Приёмная', '*60'):
            self.assertEqual(normalise(text, 'KZ'), text)

    def test_codes_for_an_outside_line(self):
        """A code is no part of the number: the one that is entered, and the usual ones where nobody
        has entered any."""
        for dialled in (
            '987771234567',
            '0 8 777 123-45-67',
            '9987771234567',
            '977771234567',
            '*6787771234567',
            '*67 8 777 1234567',
            '*31#87771234567',
            '#31#87771234567',
            '87771234567#',
            '9w87771234567',
            '9,,87771234567',
        ):
            with self.subTest(dialled):
                self.assertEqual(to_e164(dialled, 'KZ', is_dialled=True), MOBILE)
        self.assertEqual(to_e164('7787771234567', 'KZ', ('77',), is_dialled=True), MOBILE)
        self.assertEqual(to_e164('1287771234567', 'KZ', ('1', '12'), is_dialled=True), MOBILE)
        # a PBX may show the code before a caller too, but a caller's number comes first
        self.assertEqual(to_e164('987771234567', 'KZ', ('9',)), MOBILE)
        self.assertEqual(to_e164('87771234567', 'KZ', ('8', '9')), MOBILE)
        # behind the code may stand a number of any country
        self.assertEqual(to_e164('9810442079460188', 'KZ', is_dialled=True), '+442079460188')
        self.assertEqual(to_e164('900442079460188', 'KZ', ('9',), is_dialled=True), '+442079460188')
        self.assertEqual(to_e164('003012345678', 'DE', ('0',), is_dialled=True), '+493012345678')
        for short in ('9101', '*97', '0', '99112', '*72101'):
            self.assertEqual(to_e164(short, 'KZ', ('9',), is_dialled=True), '')

    def test_no_foreign_number_is_taken_for_one_with_a_code(self):
        """A number of another country without its plus stays what it is, also where it begins like
        a code."""
        for number in (
            '998901234567',
            '996555123456',
            '99365123456',
            '971501234567',
            '919812345678',
            '905321234567',
        ):
            with self.subTest(number):
                self.assertEqual(to_e164(number, 'KZ', is_dialled=True), '+' + number)

    def test_numbers_of_a_field_that_a_person_filled_in(self):
        for text, expected in (
            ('8 (777) 123-45-67', (MOBILE,)),
            ('', ()),
            (None, ()),
            ('нет', ()),
            ('вн. 105', ()),
            ('1234567', ()),
            ('8 (727) 250-76-12/13', ('+77272507612',)),
            ('8 727 250 76 12, доб. 12', ('+77272507612',)),
            ('8 777 123 45 67 / +7 777 123-45-67', (MOBILE,)),
            ('87771234567\n87021234567', (MOBILE, '+77021234567')),
        ):
            with self.subTest(text):
                self.assertEqual(numbers_in(text, 'KZ'), expected)
        self.assertEqual(
            numbers_in('020 7946 0188 / 07911 123456', 'GB'), ('+442079460188', '+447911123456')
        )
        self.assertEqual(numbers_in('0171/1234567 Anna', 'DE'), ('+491711234567',))

    def test_endless_fields_get_an_answer(self):
        """Anybody may paste anything into a form of a website: it is looked at, and nothing waits
        for it."""
        for text in ('#' * 10**6 + 'x', '1 ' * 10**5, 'aa ' * 10**5, '<> ' * 10**5, '701 ' * 10**5):
            with self.subTest(text[:6]):
                self.assertEqual((to_e164(text, 'KZ'), numbers_in(text, 'KZ')), ('', ()))
        self.assertEqual(numbers_in('8 777 123 45 67, ' + 'see below ' * 10**5, 'KZ'), (MOBILE,))
        self.assertEqual(
            numbers_in('x' * 490 + ' 8 777 123 45 67', 'KZ'), (), "no half of a number"
        )
        self.assertEqual(to_e164('8 777 123 45 67##', 'KZ'), MOBILE)

    # --- anything ----------------------------------------------------------------------------------------------------

    countries = st.sampled_from(('KZ', 'RU', 'US', 'DE', 'NU', '', 'XX'))
    anything = st.one_of(
        st.none(),
        st.text(max_size=40),
        st.text(alphabet='+0123456789 ()-;@<>"\'.*#sip:', max_size=30),
        st.from_regex(r'\A\+?[0-9]{5,17}\Z'),
        st.from_regex(r'\A[78][0-9]{10}\Z'),
        st.binary(max_size=20).map(lambda raw: raw.decode('utf-8', 'surrogateescape')),
    )

    @PROPERTY
    @given(anything, countries)
    def test_always_a_number_or_nothing(self, text, country):
        number = to_e164(text, country)
        # Niue and Tokelau have seven digits with their country code
        self.assertRegex(number, r'\A(\+[0-9]{7,15})?\Z')

    @PROPERTY
    @given(anything, countries)
    def test_idempotent(self, text, country):
        number = to_e164(text, country)
        self.assertEqual(to_e164(number, country), number)
        self.assertEqual(normalise(normalise(number, country), country), normalise(number, country))
        self.assertEqual(to_e164(normalise(text, country), country), number)

    @PROPERTY
    @given(st.text(alphabet='0123456789', max_size=6), countries)
    def test_short_is_never_a_number(self, text, country):
        self.assertEqual(to_e164(text, country), '')
        self.assertEqual(to_e164('+' + text, country), '')
