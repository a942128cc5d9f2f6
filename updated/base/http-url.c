#include <curl/curl.h>

#include "base/http.h"

bool http_url_is_valid(const char *text)
{
        CURLU *url = curl_url();
        char *scheme = NULL, *host = NULL;
        bool valid;

        valid = url && curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK
                && curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK
                && (streq(scheme, "http") || streq(scheme, "https"))
                && curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK && !is_empty(host);

        curl_free(scheme);
        curl_free(host);
        curl_url_cleanup(url);
        return valid;
}

int http_url_for_log(const char *text, char **ret)
{
        CURLU *url = curl_url();
        char *shown = NULL, *copy = NULL;

        if (url && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK) {
                static const CURLUPart hidden[] = { CURLUPART_USER, CURLUPART_PASSWORD,
                                                    CURLUPART_QUERY, CURLUPART_FRAGMENT };

                for (size_t i = 0; i < ELEMENTSOF(hidden); i++)
                        (void)curl_url_set(url, hidden[i], NULL, 0); /* only an absent part fails */
                if (curl_url_get(url, CURLUPART_URL, &shown, 0) == CURLUE_OK)
                        copy = strdup(shown);
        } else
                copy = strdup("(no valid URL)");

        curl_free(shown);
        curl_url_cleanup(url);
        if (!copy)
                return -ENOMEM;

        *ret = copy;
        return 0;
}
