#include "cloud-config/characters.h"
#include "base/text.h"

#define CODE_NEL  0x85u
#define CODE_LS   0x2028u
#define CODE_PS   0x2029u
#define CODE_BOM  0xfeffu
#define CODE_NBSP 0xa0u

size_t character_decode(const char *p, size_t size, uint32_t *ret)
{
        static const uint8_t masks[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
        uint8_t lead = (uint8_t)*p;
        size_t n = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
        uint32_t code = lead & masks[n];

        if (n > 1 && (n > size || !text_is_utf8(p, n)))
                return 0;
        for (size_t i = 1; i < n; i++)
                code = code << 6 | ((uint8_t)p[i] & 0x3f);

        *ret = code;
        return n;
}

bool character_is_control(uint32_t code)
{
        return code < ' ' || (code >= 0x7f && code < CODE_NBSP)
               || (code >= 0x200b && code <= 0x200f) || (code >= CODE_LS && code <= 0x202e)
               || (code >= 0x2060 && code <= 0x206f) || code == CODE_BOM;
}

bool characters_have_control(const char *text, size_t size)
{
        for (size_t i = 0, n; i < size; i += n) {
                uint32_t code;

                n = character_decode(text + i, size - i, &code);
                if (n == 0 || character_is_control(code))
                        return true;
        }

        return false;
}

static bool is_break(uint32_t code)
{
        return code == '\n' || code == '\r' || code == CODE_NEL || code == CODE_LS
               || code == CODE_PS;
}

/* What YAML 1.1 calls printable: everything else is refused by the reader, without a line. */
static bool is_printable(uint32_t code)
{
        return code == '\t' || is_break(code) || (code >= ' ' && code < 0x7f)
               || (code >= CODE_NBSP && code < 0xfffe && code != CODE_BOM) || code >= 0x10000;
}

/* A walk over the characters that knows line and column of the next one. */
typedef struct Walk {
        const char *text;
        size_t size;
        size_t offset; /* of the next character */
        unsigned line, column;
} Walk;

#define WALK_START(_text, _size)                                                      \
        {                                                                             \
                .text = (_text), .size = (_size), .offset = 0, .line = 1, .column = 1 \
        }

/* Moves behind printable ASCII, of which most documents consist. */
static void walk_skip_plain(Walk *walk)
{
        size_t start = walk->offset;

        while (walk->offset < walk->size && (uint8_t)walk->text[walk->offset] >= ' '
               && (uint8_t)walk->text[walk->offset] <= '~')
                walk->offset++;
        walk->column += (unsigned)(walk->offset - start);
}

/* Moves behind the next character. Returns it, or -EILSEQ (a broken one counts as one byte). */
static int64_t walk_step(Walk *walk)
{
        const char *p = walk->text + walk->offset;
        size_t left = walk->size - walk->offset, n;
        uint32_t code = 0;

        n = character_decode(p, left, &code);
        walk->offset += n > 0 ? n : 1;
        if (n > 0 && code == '\r' && left > 1 && p[1] == '\n')
                walk->offset++;
        walk->column++;
        if (n > 0 && is_break(code)) {
                walk->line++;
                walk->column = 1;
        }

        return n > 0 ? (int64_t)code : -EILSEQ;
}

static void character_refuse(Findings *findings, Place place, int64_t code, uint8_t byte)
{
        if (code < 0)
                finding_add(findings, SEVERITY_ERROR, place, NULL,
                            "save the document as UTF-8 and upload it again",
                            "byte 0x%02x is not UTF-8", byte);
        else if (code == CODE_BOM)
                finding_add(findings, SEVERITY_ERROR, place, NULL,
                            "remove it; it is invisible in most editors",
                            "a byte order mark (U+FEFF) in the middle of the document");
        else
                finding_add(findings, SEVERITY_ERROR, place, NULL, NULL,
                            "control character U+%04X is not allowed", (unsigned)code);
}

int characters_check(const char *text, size_t size, unsigned part, Findings *findings)
{
        Walk walk = WALK_START(text, size);

        for (walk_skip_plain(&walk); walk.offset < size; walk_skip_plain(&walk)) {
                Place place = { part, walk.line, walk.column, 1, false };
                uint8_t byte = (uint8_t)text[walk.offset];
                int64_t code = walk_step(&walk);

                if (code >= 0 && is_printable((uint32_t)code))
                        continue;
                character_refuse(findings, place, code, byte);
                return -EBADMSG;
        }

        return 0;
}

Place characters_place(const char *text, size_t size, size_t offset, unsigned part)
{
        Walk walk = WALK_START(text, size);

        while (walk.offset < MIN_OF(offset, size))
                (void)walk_step(&walk); /* broken characters have a place too */
        return (Place) { part, walk.line, walk.column, 1, false };
}

/* Moves behind the end of the line. */
static void walk_line(Walk *walk)
{
        unsigned line = walk->line;

        while (walk->line == line && walk->offset < walk->size) {
                walk_skip_plain(walk);
                if (walk->offset < walk->size)
                        (void)walk_step(walk); /* broken characters belong to the line too */
        }
}

bool characters_line(const char *text, size_t size, unsigned number, LineCursor *cursor,
                     const char **ret, size_t *ret_size)
{
        Walk walk = WALK_START(text, size);
        size_t end;

        if (cursor->line > 0 && cursor->line <= number) {
                walk.offset = cursor->offset;
                walk.line = cursor->line;
        }
        while (walk.line < number && walk.offset < size)
                walk_line(&walk);
        if (number == 0 || walk.line != number)
                return false;

        *cursor = (LineCursor) { walk.offset, number };
        for (end = walk.offset; walk.line == number && walk.offset < size;)
                if (!is_break((uint32_t)walk_step(&walk)))
                        end = walk.offset;

        *ret = text + cursor->offset;
        *ret_size = end - cursor->offset;
        return true;
}
