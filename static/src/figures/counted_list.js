import { formatSpan } from "@crm_telephony/figures/figure_words";

/**
 * Opens what a number has counted.
 *
 * @param {object} action the service
 * @param {{ first: string, last: string, zones?: string[] }} period that is shown
 * @param {object} list
 * @param {string} list.name
 * @param {Array} list.domain
 * @param {string} [list.model]
 * @param {string[]} [list.views] the first is shown
 * @param {{ first: string, last: string }} [list.span] the days, if not the whole period
 * @param {string} [list.orderBy] a field, the greatest value first
 * @param {string} [list.groupBy] a field
 * @param {object} [list.context]
 */
export function openCounted(
    action,
    period,
    { name, domain, model = "telephony.call", views = ["list", "pivot", "graph", "form"], span, orderBy, groupBy, context }
) {
    return action.doAction(
        {
            type: "ir.actions.act_window",
            name: span || model === "telephony.call" ? `${name}, ${formatSpan(span || period)}` : name,
            res_model: model,
            views: views.map((view) => [false, view]),
            domain,
            context: {
                // somebody's own default filter would hide some of what was counted
                search_disable_custom_filters: true,
                ...(groupBy && { group_by: [groupBy] }),
                // a pivot cuts days as the figures do, whoever looks
                ...(period.zones?.length === 1 && { tz: period.zones[0] }),
                ...context,
            },
        },
        orderBy ? { props: { orderBy: [{ name: orderBy, asc: false }] } } : {}
    );
}

/**
 * Returns the pivot of a table of figures; Odoo's pivot exports it to a spreadsheet.
 *
 * @param {string} name
 * @param {Array} domain of all that the table has counted
 * @param {string[]} measures
 * @param {string} row the field of its rows
 * @param {object} [more] see openCounted
 */
export function pivotOf(name, domain, measures, row, more = {}) {
    return {
        name,
        domain,
        views: ["pivot", "graph", "list", "form"],
        ...more,
        context: {
            pivot_measures: measures,
            pivot_row_groupby: [row],
            pivot_column_groupby: [],
            graph_measure: measures[0],
            graph_groupbys: [row],
            ...more.context,
        },
    };
}

/** Returns the list of finished call activities. */
export function claimList(name, { domain, value }) {
    return {
        name,
        domain,
        count: value,
        model: "mail.activity",
        views: ["list"],
        context: { active_test: false, list_view_ref: "crm_telephony.telephony_claim_view_list" },
    };
}
