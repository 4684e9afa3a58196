"""What a DCS server enforces and how it writes, all of it open to change while it runs."""

from dataclasses import dataclass, field


@dataclass(kw_only=True)
class Rules:
    """The settings of a server.

    Attributes:
        username: Who may sign in.
        password: With which password.
        private: Whether the current API's paths for those who have signed in are there.
        public: Whether its paths without an account are.
        legacy: Whether the legacy API is there.
        cookie_requests: After how many requests a cookie expires; 0 is never.
        private_range_days: The longest range of readings, in days; 0 is no limit.
        public_range_days: The same without signing in.
        legacy_range_days: The same in the legacy API, which does not document any.
        private_rate: How many requests there may be in ``rate_window``; 0 is no limit.
        public_rate: The same without signing in.
        rate_window: That time in seconds.
        range_text: The words for a range that is too long; ``{}`` is replaced by the days.
        retry_after: What a 429 says in Retry-After; ``{}`` is replaced by whole seconds,
            and if it is empty there is no such header.
        back_off: Whether a 429 says ``backOffSuggestion`` in its body.
        refused: Status with which readings of a source are refused, by its id.
        latency: How long an answer takes to begin, in seconds.
        gzip: Whether bodies are compressed for those who ask for it.
        chunk: How many readings are written at a time.
        pause: How long to wait before each further chunk, in seconds.
        readings_first: Whether readings come before what is said about them.
        duration_slip: Whether ``readingDuration`` is called ``duration``.
        capital_value: Whether the last reading's ``value`` is spelt with a capital.
        capital_readings: Whether ``readings`` is.
        padded: Whether the legacy API fills gaps with generated readings.
        padded_ahead: Whether it fills the time after the newest reading, too.
        dates_only: Whether the legacy API takes yyyy-MM-dd and nothing else.
        bom: Whether its JSON begins with a byte order mark.
        twice: Whether its lists have every meter twice.
        hour_slip: Whether it says that every period lasts 30 minutes.
    """

    username: str = "reader"
    password: str = "s3cret"
    private: bool = True
    public: bool = True
    legacy: bool = True
    cookie_requests: int = 0
    private_range_days: float = 0
    public_range_days: float = 0
    legacy_range_days: float = 0
    private_rate: int = 0
    public_rate: int = 0
    rate_window: float = 1.0
    range_text: str = "The requested date range exceeds the maximum range of {} days"
    retry_after: str = "{}s"
    back_off: bool = True
    refused: dict[str, int] = field(default_factory=dict)
    latency: float = 0
    gzip: bool = True
    chunk: int = 500
    pause: float = 0
    readings_first: bool = False
    duration_slip: bool = False
    capital_value: bool = False
    capital_readings: bool = False
    padded: bool = True
    padded_ahead: bool = False
    dates_only: bool = False
    bom: bool = False
    twice: bool = False
    hour_slip: bool = False
