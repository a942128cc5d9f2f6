#include <strings.h>

#include <curl/curl.h>

#include "cloud-config/schema.h"
#include "cloud-config/url.h"

/* Brackets are for IPv6 addresses; "~", "&", ";", quotes and "$" mean something to a shell. */
#define URL_CHARSET                                                      \
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789" \
        "_./:@%+,=?-[]"

bool url_is_https(const char *url)
{
        return strncasecmp(url, "https://", strlen("https://")) == 0;
}

static void curl_url_done(CURLU **url)
{
        curl_url_cleanup(*url);
}

static bool url_has(CURLU *parsed, CURLUPart part)
{
        char *text = NULL;
        bool has = curl_url_get(parsed, part, &text, 0) == CURLUE_OK && !is_empty(text);

        curl_free(text);
        return has;
}

static const char *url_parse(CURLU *parsed, const char *url)
{
        CURLUcode code = curl_url_set(parsed, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME);

        if (code == CURLUE_BAD_PORT_NUMBER)
                return "the port is not between 0 and 65535";
        if (code == CURLUE_BAD_SCHEME || !strstr(url, "://"))
                return "it is not a URL: http:// or https:// is missing";
        if (code != CURLUE_OK)
                return "it is not a valid URL";
        if (strncasecmp(url, "http://", strlen("http://")) != 0 && !url_is_https(url))
                return "only http:// and https:// are possible";
        return NULL;
}

int url_check(const char *url, const char **ret_why, const char **ret_hint, bool *ret_credentials)
{
        _cleanup_(curl_url_done) CURLU *parsed = curl_url();

        if (!parsed)
                return -ENOMEM;

        *ret_hint = NULL;
        if (strlen(url) > VALUE_URL_MAX)
                *ret_why = "the URL is longer than 2048 characters";
        else
                *ret_why = url_parse(parsed, url);
        if (*ret_why)
                return -EINVAL;

        if (url[strspn(url, URL_CHARSET)]) {
                *ret_why = "the URL has a character that a shell would not take as it stands";
                *ret_hint = "percent-encode it: & is %26, ; is %3B, a blank is %20";
                return -EINVAL;
        }

        *ret_credentials = url_has(parsed, CURLUPART_USER) || url_has(parsed, CURLUPART_PASSWORD);
        return 0;
}
