import { Component } from "@odoo/owl";
import { localization } from "@web/core/l10n/localization";
import { _t } from "@web/core/l10n/translation";
import { formatFloat } from "@web/core/utils/numbers";
import { formatPercentage } from "@web/views/fields/formatters";
import { formatClock } from "@crm_telephony/clock/clock_field";
import { NOTHING } from "@crm_telephony/figures/figure_words";
import { LossCauses } from "@crm_telephony/figures/loss_causes";
import { TAB_PROPS } from "@crm_telephony/figures/people_tab";

const { Info } = luxon;

/** Returns every quarter of an hour between the first and the last: {"09:00": 2, "09:30": 1} → three pairs, the middle one 0. */
export function quartersOf(quarters) {
    const place = (at) => Number(at.slice(0, 2)) * 4 + Number(at.slice(3)) / 15;
    const places = Object.keys(quarters).map(place);
    const [first, last] = [Math.min(...places), Math.max(...places)];
    return places.length
        ? Array.from({ length: last - first + 1 }, (_, step) => {
              const [hour, quarter] = [Math.floor((first + step) / 4), (first + step) % 4];
              const at = `${String(hour).padStart(2, "0")}:${String(quarter * 15).padStart(2, "0")}`;
              return [at, quarters[at] || 0];
          })
        : [];
}

/** Returns how many people an hour needs: "5", "5–6", "–" if the calls were too few to say. */
export function peopleNeeded({ people_least: least, people_most: most }) {
    return most === null ? NOTHING : least === most ? `${most}` : `${least}–${most}`;
}

/** People or lines: how many calls there were at once, why callers were lost, and what the load would need. */
export class LinesTab extends Component {
    static template = "crm_telephony.LinesTab";
    static components = { LossCauses };
    static props = TAB_PROPS;

    get accounts() {
        return this.props.figures.accounts.map((account) => ({
            ...account,
            told: account.most
                ? _t("Most calls at once: %(most)s, at %(times)s.", { most: account.most, times: account.most_at.slice(0, 3).join(", ") })
                : _t("No calls in this time."),
            full: account.lines
                ? _t("All %(lines)s lines were used for %(time)s.", { lines: account.lines, time: formatClock(account.seconds_full) })
                : _t("How many lines it has is not known. Enter Lines on the PBX's form, and you see here for how long all were used."),
            bars: quartersOf(account.quarters).map(([at, most]) => ({
                at,
                most,
                height: (100 * most) / account.most,
                isFull: account.lines > 0 && most >= account.lines,
                hour: at.endsWith(":00") ? Number(at.slice(0, 2)) : "",
            })),
        }));
    }

    /** The causes as the bar of causes takes them. */
    get causes() {
        const { causes: counts } = this.props.figures;
        return {
            counts,
            causes: Object.keys(counts)
                .filter((count) => counts[count].value)
                .map((count) => ({ cause: count.slice("cause_".length), count })),
        };
    }

    get assumptions() {
        const { handling, patience, weeks, service_percent, service_seconds, most_blocked } = this.props.figures.advice.assumes;
        const percent = (share) => formatPercentage(share, { digits: [false, 0] });
        return [
            _t("Assumed from %(weeks)s weeks: a call takes %(time)s with the work after it, and %(percent)s are to be answered within %(seconds)s s.", {
                weeks: formatFloat(weeks, { digits: [false, 1] }),
                time: formatClock(handling),
                percent: percent(service_percent / 100),
                seconds: service_seconds,
            }),
            patience
                ? _t("With the lesser number of people callers give up after %s, as they did; with the greater one they wait.", formatClock(patience))
                : _t("Callers wait until somebody answers, because too few gave up to say how long they wait."),
            _t("With so many lines at most %s of calls find all of them used.", percent(most_blocked)),
        ].join(" ");
    }

    get columns() {
        const hours = this.props.figures.advice.hours.map(({ hour }) => hour);
        const [first, last] = [Math.min(...hours), Math.max(...hours)];
        return hours.length ? Array.from({ length: last - first + 1 }, (_, place) => first + place) : [];
    }

    get rows() {
        const known = new Map(this.props.figures.advice.hours.map((cell) => [`${cell.weekday} ${cell.hour}`, cell]));
        const [names, shortNames] = [Info.weekdays("long"), Info.weekdays("short")];
        return Array.from({ length: 7 }, (_, place) => (place + localization.weekStart - 1) % 7).map((weekday) => ({
            weekday,
            name: shortNames[weekday],
            cells: this.columns.map((hour) => this.cell(known.get(`${weekday} ${hour}`), names[weekday], hour)),
        }));
    }

    cell(needed, day, hour) {
        if (!needed) {
            return { hour };
        }
        const { people_most: most, lines, calls, is_merged } = needed;
        const values = { day, hour: `${hour}:00`, calls, people: peopleNeeded(needed), lines };
        return {
            hour,
            text: `${is_merged ? "≈ " : ""}${values.people}`,
            lines: most === null ? "" : _t("%s lines", lines),
            label:
                most === null
                    ? _t("%(day)s %(hour)s: too few calls", values)
                    : _t("%(day)s %(hour)s: %(people)s people and %(lines)s lines for %(calls)s calls", values),
        };
    }
}
