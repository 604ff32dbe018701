"""The words that PBXs use for directions, outcomes and kinds of events, in the languages in which
they were seen, without case, blanks and signs."""

import re

DIRECTIONS = {
    'inbound': 'in inbound incoming inc incomingcall inboundcall ingress terminator received входящий входящая входящие вх '
    'кіріс gelen eingehend вхідний вхідна',
    'outbound': 'out outbound outgoing outgoingcall outboundcall egress originator dialed dialled исходящий исходящая '
    'исходящие исх шығыс giden ausgehend вихідний вихідна',
    'internal': 'internal local inner intern внутренний внутренняя ішкі dahili внутрішній',
}
OUTCOMES = {
    'answered': 'answer answered accepted accept success successful completed complete normalclearing ok connected talked '
    'transfer callcompleted отвечен отвеченный принят успешно успешный жауапберілді cevaplandı cevaplandi beantwortet '
    'angenommen прийнято прийнятий',
    'missed': 'missed notansweredin lost unansweredinbound пропущен пропущенный пропущено қабылданбаған cevapsız cevapsiz '
    'verpasst пропущений',
    'no_answer': 'noanswer noanswered notanswered unanswered norsp noresponse timeout usernoanswer noanswerfromuser '
    'неотвечен нетответа неответили жауапжоқ yanıtyok keineantwort немаєвідповіді',
    'busy': 'busy userbusy subscriberbusy занят занято босемес meşgul mesgul besetzt зайнято',
    'failed': 'failed failure fail congestion chanunavail notfound notavailable unavailable invalid error rejected blocked '
    'unallocatednumber destinationoutoforder callrejected ошибка недоступен сбой қате hata fehler помилка',
    'voicemail': 'voicemail vm vmsuccess mailbox machine автоответчик голосоваяпочта sesli anrufbeantworter',
    'abandoned': 'abandoned abandon abandonedinqueue бросил сброшенвочереди',
    '': 'cancel canceled cancelled originatorcancel отменен отменён отмена болдырылмады iptal abgebrochen скасовано',
}
KINDS = {
    'ringing': 'newcall incomingcall outgoingcall ringing ring incoming outgoing start started invite initiated initiate dial '
    'dialin dialout receivedthecall callreceived calloriginated created originate newchannel inboundcallstart '
    'callstart vpbxinboundcallstart vpbxoutgoingstart callcreated callringing callinitiated notifystart звонок вызов',
    'answered': 'answer answered answeredthecall callanswered accepted callaccepted connected connect pickup bridged bridge '
    'callbridged notifyanswer ответ отвечен',
    'ended': 'hangup hungup end ended endcall completed complete callended callreleased released release finish finished '
    'hangupthecall apicallcompleted history cdr newcdr callreport report stop cancelled canceled disconnected callhangup '
    'callhungup notifyend 30012 завершен завершён завершение конец отбой',
    'transferred': 'transfer transferred transferredthecall calltransferred перевод переведен',
    'recording': 'record recording recorded recordready recordingsaved callrecordingsaved notifyrecord запись',
}


def _table(words: dict[str, str]) -> dict[str, str]:
    return {word: meaning for meaning, several in words.items() for word in several.split()}


DIRECTION_OF, OUTCOME_OF, KIND_OF = map(_table, (DIRECTIONS, OUTCOMES, KINDS))


def bare(text: str) -> str:
    """Return a word as it stands in the tables."""
    return re.sub(r'[\W_]', '', text.lower())


def is_word(text: str, *tables: dict[str, str]) -> bool:
    """Return whether a text stands in these tables, or in any."""
    return any(bare(text) in table for table in tables or (DIRECTION_OF, OUTCOME_OF, KIND_OF))
