#include <stdio.h>
#include <strings.h>

#include "base/base64.h"
#include "base/io.h"
#include "base/text.h"
#include "transport.h"

#define RATE_KEY "HTTP_RATE_MAX"

/* What a plan carries, in base64: PEM has many lines, and passwords any letters. */
static const struct {
        const char *key;
        size_t offset;
} transport_texts[] = {
        { "HTTP_CA", offsetof(Transport, ca) },
        { "HTTP_CERTIFICATE", offsetof(Transport, certificate) },
        { "HTTP_KEY", offsetof(Transport, key) },
        { "HTTP_PINNED_KEY", offsetof(Transport, pinned_key) },
        { "HTTP_PROXY", offsetof(Transport, proxy) },
        { "HTTP_NO_PROXY", offsetof(Transport, no_proxy) },
        { "HTTP_USER", offsetof(Transport, user) },
        { "HTTP_PASSWORD", offsetof(Transport, password) },
};

static char **transport_text(const Transport *transport, size_t i)
{
        return (void *)((char *)transport + transport_texts[i].offset);
}

void transport_done(Transport *transport)
{
        for (size_t i = 0; i < ELEMENTSOF(transport_texts); i++)
                free(*transport_text(transport, i));
        free(transport->ca_file);
        free(transport->certificate_file);
        free(transport->key_file);
        free(transport->broken);
        *transport = (Transport) {};
}

int transport_copy(const Transport *transport, Transport *ret)
{
        _cleanup_(transport_done) Transport copy = { .rate_max = transport->rate_max };

        for (size_t i = 0; i < ELEMENTSOF(transport_texts); i++) {
                int r = text_set(transport_text(&copy, i), *transport_text(transport, i));

                if (r < 0)
                        return r;
        }

        *ret = copy;
        copy = (Transport) {};
        return 0;
}

static int transport_break(Transport *transport, const char *setting, const char *path, int error)
{
        text_clear(&transport->broken);
        return text_format(&transport->broken, "%s %s of update.conf can not be read: %s", setting,
                           path, strerror(-error));
}

int transport_load(Transport *transport, const char *root)
{
        const struct {
                const char *setting, *path;
                char **target;
        } files[] = {
                { "CA_FILE", transport->ca_file, &transport->ca },
                { "CLIENT_CERTIFICATE", transport->certificate_file, &transport->certificate },
                { "CLIENT_KEY", transport->key_file, &transport->key },
        };

        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                int r;

                if (!files[i].path)
                        continue;
                r = file_read(root, files[i].path, TRANSPORT_PEM_MAX, files[i].target, NULL);
                if (r == -ENOMEM)
                        return r;
                if (r < 0)
                        r = transport_break(transport, files[i].setting, files[i].path, r);
                if (r < 0)
                        return r;
        }
        if (!transport->broken && !transport->certificate != !transport->key)
                return text_set(&transport->broken,
                                "update.conf has only one of CLIENT_CERTIFICATE and CLIENT_KEY");
        return 0;
}

/* Curl reads all variables of the environment but this one, which is a trap in CGI programs only. */
static const char *transport_proxy(const Transport *transport, bool https)
{
        if (transport->proxy || https || getenv("http_proxy"))
                return transport->proxy;
        return getenv("HTTP_PROXY");
}

int transport_apply(const Transport *transport, const char *url, bool payload,
                    HttpParameters *parameters)
{
        bool https = strncasecmp(url, "https:", strlen("https:")) == 0;

        if (transport->broken)
                return -ENOKEY;

        parameters->ca_pem = transport->ca;
        parameters->certificate_pem = transport->certificate;
        parameters->key_pem = transport->key;
        parameters->pinned_key = transport->pinned_key;
        parameters->proxy = transport_proxy(transport, https);
        parameters->no_proxy = transport->no_proxy;
        if (payload) {
                parameters->rate_max = transport->rate_max;
                parameters->user = transport->user;
                parameters->password = transport->password;
        }
        return 0;
}

int transport_print(const Transport *transport, Buffer *text)
{
        int r;

        r = buffer_appendf(text, RATE_KEY "=%llu\n", (unsigned long long)transport->rate_max);
        for (size_t i = 0; i < ELEMENTSOF(transport_texts) && r >= 0; i++) {
                const char *value = *transport_text(transport, i);
                _cleanup_free_ char *encoded = NULL;

                if (!value)
                        continue;
                r = base64_encode(value, strlen(value), &encoded);
                if (r >= 0)
                        r = buffer_appendf(text, "%s=%s\n", transport_texts[i].key, encoded);
        }

        return r;
}

int transport_parse(const EnvFile *file, Transport *ret)
{
        _cleanup_(transport_done) Transport transport = {};
        const char *rate = env_file_get(file, RATE_KEY);
        int r;

        r = rate ? text_to_u64(rate, INT64_MAX, &transport.rate_max) : -EBADMSG;
        for (size_t i = 0; i < ELEMENTSOF(transport_texts) && r >= 0; i++) {
                const char *value = env_file_get(file, transport_texts[i].key);
                char **target = transport_text(&transport, i);
                size_t size = 0;

                if (!value)
                        continue;
                r = base64_decode(value, target, &size);
                if (r >= 0 && strlen(*target) != size)
                        r = -EBADMSG;
        }
        if (r < 0)
                return r == -ENOMEM ? r : -EBADMSG;

        *ret = transport;
        transport = (Transport) {};
        return 0;
}
