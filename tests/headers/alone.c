/* Compiled once for each public header, which -include names. */
typedef int not_an_empty_translation_unit;
