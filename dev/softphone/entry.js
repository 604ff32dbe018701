// All of JsSIP that static/src/softphone/line_sip.js needs; it finds it as `crmTelephonySip.UA`.
export { UA } from "jssip";
