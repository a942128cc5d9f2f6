#include "cloud-config/document.h"

void document_done(Document *document)
{
        user_data_done(&document->user_data);
        settings_done(&document->settings);
        findings_done(&document->findings);
}

static int document_read_part(Document *document, const Part *part, const Addresses *addresses)
{
        _cleanup_(tree_done) Tree tree = { .n_events = document->n_events };
        int r;

        document->n_cloud_configs++;
        r = tree_parse(part->text, part->size, part->number, &document->findings, &tree);
        document->n_events = tree.n_events;
        if (r == -EBADMSG)
                return 0;
        if (r < 0)
                return r;

        return settings_read(&document->settings, &tree, addresses, &document->findings);
}

int document_read(const char *data, size_t size, const Addresses *addresses, Document *ret)
{
        _cleanup_(document_done) Document document = {};
        int r;

        r = user_data_parse(data, size, &document.findings, &document.user_data);
        if (r < 0)
                return r;

        for (size_t i = 0; i < document.user_data.n_parts; i++) {
                const Part *part = &document.user_data.parts[i];

                document.skipped |= part->kind == PART_SCRIPT || part->kind == PART_IGNITION;
                if (part->kind != PART_CLOUD_CONFIG)
                        continue;
                r = document_read_part(&document, part, addresses);
                if (r < 0)
                        return r;
        }

        r = settings_check(&document.settings, &document.findings);
        if (r < 0)
                return r;
        r = findings_close(&document.findings);
        if (r < 0)
                return r;

        *ret = document;
        document = (Document) {};
        return 0;
}
