#include "base/update-conf.h"
#include "cloud-config/document.h"
#include "cloud-config/drop-in.h"
#include "cloud-config/report.h"
#include "fuzz/fuzz.h"

#define OLD_CONF "# kept\nGROUP=stable\nSERVER=https://old.example/\n"

/* What may go into a file that a shell reads as root. */
static void value_check(const char *value)
{
        static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                   "_./:@%+,=?-[]";

        assert(*value && value[strspn(value, safe)] == 0);
}

static void settings_render(const Settings *settings)
{
        _cleanup_free_ char *drop_in = NULL, *conf = NULL;
        Assignment assignments[_KEY_MAX];
        const char *why = NULL;
        unsigned line = 0;
        size_t n = 0;
        bool secret;

        for (size_t i = 0; i < _KEY_MAX; i++) {
                if (keys[i].output != OUTPUT_UPDATE_CONF || !settings->items[i].value)
                        continue;
                value_check(settings->items[i].value);
                assignments[n++] = (Assignment) { keys[i].variable, settings->items[i].value };
        }
        assert(update_conf_merge(OLD_CONF, assignments, n, &conf, &line, &why) == 0);
        assert(after_prefix(conf, "# kept\nGROUP="));
        assert(drop_in_render(settings, &drop_in, &secret) == 0);
        for (const char *p = drop_in; p && *p; p = strchr(p, '\n') + 1)
                assert(after_prefix(p, "[Service]\n") || after_prefix(p, "Environment=\""));
}

/* The whole of "validate": from bytes to findings and settings, and what would be written from them. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static char private_ipv4[] = "10.1.2.3", public_ipv6[] = "2001:db8::1";
        static const Addresses addresses = {
                .items = { [ADDRESS_PRIVATE_IPV4] = private_ipv4,
                           [ADDRESS_PUBLIC_IPV6] = public_ipv6 },
        };
        _cleanup_(document_done) Document document = {};
        _cleanup_free_ char *text = NULL;
        size_t text_size;
        Report report;
        FILE *stream;

        assert(document_read((const char *)data, size, &addresses, &document) == 0);
        if (document.findings.n_errors == 0)
                settings_render(&document.settings);

        stream = open_memstream(&text, &text_size);
        assert(stream);
        report = (Report) { "user-data", &document.user_data, &document.findings };
        assert(report_print(&report, stream) == 0);
        assert(fclose(stream) == 0);
        json_decref(report_json(&report));
        return 0;
}
