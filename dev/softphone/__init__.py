"""The library of the browser phone: static/lib/jssip, built of JsSIP's package."""
