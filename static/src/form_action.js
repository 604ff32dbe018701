/**
 * The action that opens a record.
 *
 * @param {string} resModel
 * @param {number} resId
 */
export function formAction(resModel, resId) {
    return { type: "ir.actions.act_window", res_model: resModel, res_id: resId, views: [[false, "form"]] };
}
