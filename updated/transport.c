#include <stdio.h>
#include <strings.h>

#include "base/base64.h"
#include "base/io.h"
#include "base/text.h"
#include "pem-files.h"
#include "transport.h"

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

static const struct {
        const char *key;
        size_t offset;
} transport_numbers[] = {
        { "HTTP_RATE_MAX", offsetof(Transport, rate_max) },
        { "HTTP_RATE_MIN", offsetof(Transport, rate_min) },
        { "HTTP_STALL", offsetof(Transport, stall) },
        { "HTTP_CONNECT_TIMEOUT", offsetof(Transport, connect_timeout) },
};

static uint64_t *transport_number(const Transport *transport, size_t i)
{
        return (void *)((char *)transport + transport_numbers[i].offset);
}

static char **transport_text(const Transport *transport, size_t i)
{
        return (void *)((char *)transport + transport_texts[i].offset);
}

void transport_done(Transport *transport)
{
        for (size_t i = 0; i < ELEMENTSOF(transport_texts); i++)
                free(*transport_text(transport, i));
        free(transport->ca_file);
        free(transport->ca_directory);
        free(transport->certificate_file);
        free(transport->key_file);
        free(transport->broken);
        *transport = (Transport) {};
}

int transport_copy(const Transport *transport, Transport *ret)
{
        _cleanup_(transport_done) Transport copy = {};

        for (size_t i = 0; i < ELEMENTSOF(transport_numbers); i++)
                *transport_number(&copy, i) = *transport_number(transport, i);
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

/* The authorities of a file and of a directory, in one text. A directory that has none trusts nobody. */
static int transport_load_authorities(Transport *transport, const char *root)
{
        _cleanup_(buffer_done) Buffer pem = BUFFER_MAX(TRANSPORT_CA_MAX);
        const char *setting = transport->ca_file ? "CA_FILE" : "CA_DIRECTORY";
        const char *path = transport->ca_file ? transport->ca_file : transport->ca_directory;
        int r = 0;

        if (!path)
                return 0;
        if (transport->ca_file)
                r = pem_append_file(root, transport->ca_file, TRANSPORT_PEM_MAX, &pem);
        if (r >= 0 && transport->ca_directory) {
                setting = "CA_DIRECTORY";
                path = transport->ca_directory;
                r = pem_append_directory(root, path, TRANSPORT_PEM_MAX, &pem);
        }
        if (r >= 0 && pem.size == 0)
                r = -ENOKEY;
        if (r < 0)
                return r == -ENOMEM ? r : transport_break(transport, setting, path, r);

        return buffer_take_text(&pem, &transport->ca, NULL);
}

int transport_load(Transport *transport, const char *root)
{
        const struct {
                const char *setting, *path;
                char **target;
        } files[] = {
                { "CLIENT_CERTIFICATE", transport->certificate_file, &transport->certificate },
                { "CLIENT_KEY", transport->key_file, &transport->key },
        };
        int r;

        r = transport_load_authorities(transport, root);
        if (r < 0)
                return r;
        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
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
        parameters->connect_timeout = transport->connect_timeout;
        parameters->rate_min = transport->rate_min;
        parameters->stall = transport->stall;
        if (payload) {
                parameters->rate_max = transport->rate_max;
                parameters->user = transport->user;
                parameters->password = transport->password;
        }
        return 0;
}

int transport_print(const Transport *transport, Buffer *text)
{
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(transport_numbers) && r >= 0; i++)
                r = buffer_appendf(text, "%s=%llu\n", transport_numbers[i].key,
                                   (unsigned long long)*transport_number(transport, i));
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
        int r = 0;

        for (size_t i = 0; i < ELEMENTSOF(transport_numbers) && r >= 0; i++) {
                const char *value = env_file_get(file, transport_numbers[i].key);

                r = value ? text_to_u64(value, INT64_MAX, transport_number(&transport, i))
                          : -EBADMSG;
        }
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
