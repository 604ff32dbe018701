// What no browser test may have met yet; style is prettier's. Odoo's modules are resolved by Odoo alone.
const browserGlobals = Object.fromEntries(
    ["window", "document", "navigator", "console", "setTimeout", "clearTimeout", "setInterval", "clearInterval", "fetch", "URL",
     "URLSearchParams", "Blob", "File", "FormData", "AudioContext", "MediaStream", "Event", "CustomEvent", "KeyboardEvent",
     "PointerEvent", "MouseEvent", "HTMLElement", "Element", "Node", "ResizeObserver", "IntersectionObserver",
     "MutationObserver", "requestAnimationFrame", "cancelAnimationFrame", "performance", "location", "history", "localStorage",
     "sessionStorage", "BroadcastChannel", "WebSocket", "RTCPeerConnection", "Audio", "crypto", "luxon", "Chart", "JsSIP",
     "WaveSurfer", "structuredClone", "queueMicrotask", "AbortController", "TextEncoder", "TextDecoder", "Promise", "odoo",
     "getComputedStyle", "atob", "btoa", "Worker", "HTMLMediaElement", "EventTarget", "MessageEvent",
     "matchMedia", "DOMException", "Notification", "IDBKeyRange", "indexedDB", "self", "globalThis"]
        .map((name) => [name, "readonly"]),
);

export default [
    {
        files: ["static/src/**/*.js", "static/tests/**/*.js"],
        languageOptions: { ecmaVersion: 2024, sourceType: "module", globals: browserGlobals },
        linterOptions: { reportUnusedDisableDirectives: "off" },
        rules: {
            "no-undef": "error",
            "no-unused-vars": ["error", { argsIgnorePattern: "^_", caughtErrors: "none", ignoreRestSiblings: true }],
            "no-const-assign": "error",
            "no-dupe-keys": "error",
            "no-dupe-class-members": "error",
            "no-unreachable": "error",
            "no-self-assign": "error",
            "no-debugger": "error",
            "no-var": "error",
            "prefer-const": ["error", { destructuring: "all" }],
            eqeqeq: ["error", "smart"],
        },
    },
];
