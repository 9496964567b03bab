package config

import (
	"bytes"
	"encoding/json"
)

// object is a JSON object.
type object map[string]any

// SchemaURL is where the schema of the newest version can be read.
const SchemaURL = "https://raw.githubusercontent.com/digestlint/digestlint/main/schema/digestlint.schema.json"

// jsonTypes are the types of JSON that the types of YAML have there.
var jsonTypes = map[string]string{"!!str": "string", "!!bool": "boolean", "!!int": "integer", "!!float": "number"}

// Schema is the JSON Schema of the file, for editors. It is of draft 7, which
// they understand best (https://json-schema.org/draft-07). It accepts whatever
// can be read, and refuses as much of the rest as patterns can tell. Formats are
// the names that a format may have.
func Schema(formats []string) ([]byte, error) {
	schema := mappingSchema(settings, formats)
	schema["$schema"] = "http://json-schema.org/draft-07/schema#"
	schema["$id"] = SchemaURL
	schema["title"] = "The configuration of digestlint, " + Name
	schema["type"] = []string{"object", "null"} // an empty file
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(schema)
	return b.Bytes(), err
}

// mappingSchema is the schema of a mapping with these keys and no others.
func mappingSchema[T any](settings []setting[T], formats []string) object {
	properties := object{}
	for _, s := range settings {
		schema := object{}
		for key, value := range s.schema(formats) {
			schema[key] = value
		}
		if s.Doc != "" {
			schema["description"] = s.Doc
		}
		properties[s.Key] = schema
	}
	return object{"type": "object", "properties": properties, "additionalProperties": false}
}
